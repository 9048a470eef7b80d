"""What everything stands on: errors, strict records, atomic files, number formats."""
