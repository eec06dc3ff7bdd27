"""What others' auditors say of the pages, headers and mails of a portal that serves. `make audit` runs these."""
