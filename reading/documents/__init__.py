"""Reads PDF, DOCX, ODT, RTF and EPUB files, each in a child process with limits on time and memory."""
