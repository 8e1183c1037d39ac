/* Built into web/dist, which the server serves and the wheel carries. Nothing is inlined: the page's
   Content-Security-Policy allows scripts, styles and pictures from its own origin only. */
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { loadEnv } from 'vite'
import { defineConfig } from 'vitest/config'

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: proxies(loadEnv(mode, '.', 'LOA_')['LOA_SERVER'] ?? 'http://127.0.0.1:8080') },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
}))

/** `npm run dev` beside a running server; LOA_SERVER says where. */
function proxies(server: string): Record<string, string> {
  return { '/api': server, '/listen': server, '/whip': server }
}
