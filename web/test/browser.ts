// Debian's Chromium as a phone or a desktop; and its Firefox.
import playwright, { chromium, type Browser, type BrowserContext, type BrowserType } from "playwright-core";

const kFlags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --allow-loopback-in-peer-connection --autoplay-policy=no-user-gesture-required".split(" ");

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: kFlags });
}

// By WebDriver BiDi, which this version of Playwright has under a name of its own. It knows no touch and no phone.
export function launch_firefox(): Promise<Browser> {
  const { _bidiFirefox } = playwright as unknown as { _bidiFirefox: BrowserType };
  return _bidiFirefox.launch({ executablePath: kFirefox, headless: true });
}
export const kFirefox = "/usr/bin/firefox-esr";

export type Scheme = "light" | "dark";

export function phone(browser: Browser, scheme: Scheme = "light"): Promise<BrowserContext> {
  return browser.newContext({
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
    ignoreHTTPSErrors: true,
    colorScheme: scheme,
    userAgent: "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36",
  });
}

export function desktop(browser: Browser, scheme: Scheme = "light"): Promise<BrowserContext> {
  return browser.newContext({ viewport: { width: 1280, height: 800 }, ignoreHTTPSErrors: true, colorScheme: scheme });
}
