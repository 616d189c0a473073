/** The worker of pdf.js with what older browsers lack. */
import 'core-js/actual'
import 'pdfjs-dist/legacy/build/pdf.worker.mjs'
