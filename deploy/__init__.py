"""What a deployment needs beside the code: blueprints, image, collector configuration and the bootstrap of Temporal."""
