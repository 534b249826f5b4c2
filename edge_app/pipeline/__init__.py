"""The one route from sources to answers: source, reader, classifier, writer, with its workers."""
