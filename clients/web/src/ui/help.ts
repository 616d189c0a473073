import { ref } from 'vue'

/** Whether the overlay that lists the keys is open. */
export const helpIsOpen = ref(false)
