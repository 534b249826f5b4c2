"""What every floor stands on: errors, bounded files, strict JSON, plain text, this machine."""
