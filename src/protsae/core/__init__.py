"""Ground floor: errors, configuration base, atomic files, hashing, seeding and progress."""
