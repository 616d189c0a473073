import 'core-js/actual'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from './App.vue'
import { router } from './router'
import { listenForKeys } from './ui/keys'
import './ui/style.css'

createApp(App).use(createPinia()).use(router).mount('#app')
listenForKeys()
