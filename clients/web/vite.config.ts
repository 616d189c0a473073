import vue from '@vitejs/plugin-vue'
import { fileURLToPath } from 'node:url'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import Components from 'unplugin-vue-components/vite'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue(), Components({ dts: false, dirs: [], resolvers: [ElementPlusResolver({ importStyle: 'css' })] })],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    // The oldest browsers that offices run; core-js fills in what they lack.
    target: 'chrome80',
    cssTarget: 'chrome80',
    // The server serves only /assets and the one page, and its content policy allows no inlined scripts.
    assetsInlineLimit: 0,
    // The worker of pdf.js alone is larger than the default limit of the warning.
    chunkSizeWarningLimit: 2000,
  },
  worker: { format: 'es' },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'], css: false },
})
