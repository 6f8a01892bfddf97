/** Which site the address names: `#/abay` is a site's page, `#/` all of them. */
import { useEffect, useState } from "react";

export function addressOf(site: string | null): string {
  return site === null ? "#/" : `#/${encodeURIComponent(site)}`;
}

/** The site that an address names, or null. */
export function siteOf(hash: string): string | null {
  const name = hash.replace(/^#\/?/, "");
  try {
    return name === "" ? null : decodeURIComponent(name);
  } catch {
    return null;
  }
}

/** The site of the page's own address, as it changes. */
export function useSiteOfAddress(): string | null {
  const [site, setSite] = useState(() => siteOf(window.location.hash));
  useEffect(() => {
    const change = () => {
      setSite(siteOf(window.location.hash));
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", change);
    return () => window.removeEventListener("hashchange", change);
  }, []);
  return site;
}
