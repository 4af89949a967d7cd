"""Reading images: archives, layouts, the engine's own folders; a layer as an index."""
