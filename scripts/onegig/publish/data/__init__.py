"""The data branch: history, baseline, badge and trend."""
