"""One reader per kind of deployment file: text in, service records out. Nothing is joined and nothing judged here."""
