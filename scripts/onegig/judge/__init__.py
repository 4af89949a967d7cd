"""Reports and budgets in, one verdict out. Pure: no effects, no clock."""
