import { readFileSync } from 'node:fs'
import { defineConfig } from '@playwright/test'

// A control plane that runs: `cargo xtask up` leaves its addresses in STATE/dev.json.
const file = process.env.HANSA_DEV
if (file === undefined) throw new Error('set HANSA_DEV to the dev.json of a running control plane')
const { console: address } = JSON.parse(readFileSync(file, 'utf8')) as { console: string }

export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 60_000 },
  reporter: [['list']],
  use: {
    baseURL: address,
    locale: 'en-GB',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // Containers give root no sandbox of its own.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
})
