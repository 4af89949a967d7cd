"""GitHub's API and what it tells a job."""
