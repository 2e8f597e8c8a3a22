"""Gene Ontology: terms, ancestor closure, EL normal forms, annotations and concept vocabularies."""
