// Lay out the Chromium that npm has brought in node_modules/.chromium, with the libraries that came with it
// and fonts from another package: it takes nothing of the system but the C library.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";
import { extract } from "tar-fs";

const modules = join(import.meta.dirname, "..", "node_modules");
const packed = join(modules, "@sparticuz", "chromium", "bin");
const target = join(modules, ".chromium");
const half = `${target}.half`;
const FONTS = `<?xml version="1.0"?>
<fontconfig>
  <dir prefix="relative">../dejavu-fonts-ttf/ttf</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <match>
    <test qual="all" name="family" compare="not_eq"><string>monospace</string></test>
    <test qual="all" name="family" compare="not_eq"><string>serif</string></test>
    <edit name="family" mode="append_last"><string>DejaVu Sans</string></edit>
  </match>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`;

function unpack(name, into) {
    return pipeline(createReadStream(join(packed, `${name}.br`)), createBrotliDecompress(), into);
}

await rm(half, { recursive: true, force: true });
await mkdir(half);
await unpack("al2023.tar", extract(half));
await unpack("swiftshader.tar", extract(half));
await writeFile(join(half, "fonts.conf"), FONTS);
await unpack("chromium", createWriteStream(join(half, "chromium"), { mode: 0o755 }));
await rm(target, { recursive: true, force: true });
await rename(half, target);
