// Builds the pages into the folder that the server carries, and serves them beside a running platform.
import { defineConfig } from 'vite';

const platform = process.env['STREAMFORGE_URL'] ?? 'http://127.0.0.1:8081';
const proxy = Object.fromEntries(
  ['/views', '/queues', '/coverage'].map((path) => [path, { target: platform, changeOrigin: true }]),
);
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    outDir: '../assets',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy },
  preview: { proxy, headers: { 'content-security-policy': csp } },
});
