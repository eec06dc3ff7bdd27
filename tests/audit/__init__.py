"""Run third-party audits of the pages, headers and emails of a running portal (`make audit`)."""
