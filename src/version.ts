/** The version of this program, from the package it belongs to. */
import packageJson from "../package.json" with { type: "json" };

export const VERSION: string = packageJson.version;
