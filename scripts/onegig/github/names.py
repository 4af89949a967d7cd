"""Names that workflows, jobs and commands share."""

STATUS = "onegig"  # the commit status that the verdict sets
ARTIFACT = "onegig-numbers"  # what the gate hands to the comment's workflow
DATA_BRANCH = "onegig-data"
