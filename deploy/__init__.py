"""What a deployment needs beside the code: blueprints, image, collector configuration the bootstrap of Temporal, rotation of keys."""
