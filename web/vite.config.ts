import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// While developing, the API is a control plane on this machine.
const api = process.env.HANSA_API ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2023', chunkSizeWarningLimit: 1600 },
  server: { proxy: { '/v1': { target: api, changeOrigin: false } } },
})
