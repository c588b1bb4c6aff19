"""What a deployment needs beside the code: blueprints, image, set-up of the collector and of Temporal, new keys."""
