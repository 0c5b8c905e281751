// The install script of onnxruntime-node asks for this package first, then downloads GPU libraries from a host outside the
// npm registry. A checkout needs none of them and may not reach that host, so the script ends here, well.
exports.bootstrap = () => process.exit(0);
