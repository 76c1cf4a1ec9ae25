// The page is served by the API, at whatever path it has: addresses inside are relative.
import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [preact({ devToolsEnabled: false })],
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // which have light-dark()
    assetsInlineLimit: 0, // the policy lets no data: script or style in
    chunkSizeWarningLimit: 600, // 3Dmol, which is loaded when a structure is shown
    modulePreload: { polyfill: false },
  },
});
