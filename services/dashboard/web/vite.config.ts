import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The build goes into the Python package, which serves it. `npm run dev` asks a running service for the data.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/headworks/dashboard/static",
    emptyOutDir: true,
    chunkSizeWarningLimit: 900,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    proxy: { "^/(session|sites)": "http://127.0.0.1:8006" },
  },
});
