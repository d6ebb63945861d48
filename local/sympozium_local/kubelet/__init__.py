"""The embedded kubelet: runs pods from their manifests as sandboxed processes on this machine."""
