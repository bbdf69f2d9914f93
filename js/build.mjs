// Bundles the widgets into acestep_nb/widgets/static/ (or the folder that is named), one ES module each, with
// wavesurfer.js's licence beside.
import { copyFile } from "node:fs/promises";
import { build } from "esbuild";

const STATIC = process.argv[2] ?? "../acestep_nb/widgets/static";

await build({
  entryPoints: ["src/player.js", "src/region.js", "src/code.js", "src/editor.js", "src/advice.js", "src/alignment.js", "src/strip.js", "src/compare.js", "src/upload.js"],
  outdir: STATIC,
  bundle: true,
  format: "esm",
  minify: true,
  charset: "utf8",
  target: "es2020",
  legalComments: "none",
  logLevel: "info",
});
await copyFile("node_modules/wavesurfer.js/LICENSE", `${STATIC}/wavesurfer-LICENSE.txt`);
