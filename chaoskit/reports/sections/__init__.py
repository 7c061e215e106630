"""The sections of a report, each a pure function from a view of the run to blocks of the document."""
