"""trivy on images."""
