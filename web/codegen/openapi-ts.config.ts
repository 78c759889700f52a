import { defineConfig } from '@hey-api/openapi-ts'

export default defineConfig({
  input: '../../openapi/hansa.json',
  // A test writes it elsewhere, and compares.
  output: { path: process.env.HANSA_CLIENT ?? '../src/client', entryFile: true },
  plugins: ['@hey-api/typescript', '@hey-api/sdk', '@hey-api/client-fetch'],
})
