"""The auditors' list: Prowler's findings in the sandbox against the reasons that this repository gives. `make audit` runs it."""
