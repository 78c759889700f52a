import { defineConfig } from '@hey-api/openapi-ts'

export default defineConfig({
  input: '../../openapi/hansa.json',
  output: { path: '../src/client', entryFile: true },
  plugins: ['@hey-api/typescript', '@hey-api/sdk', '@hey-api/client-fetch'],
})
