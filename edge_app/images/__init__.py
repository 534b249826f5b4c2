"""A picture file → an 8-bit gray radiograph, whatever the file is."""
