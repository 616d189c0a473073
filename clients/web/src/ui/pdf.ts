/** pdf.js, set up to run nothing that a document brings along. */
import { getDocument, PDFWorker, TextLayer, type PDFDocumentProxy, type PDFPageProxy } from 'pdfjs-dist/legacy/build/pdf.mjs'

import Worker from './pdf-worker?worker'

export { TextLayer, type PDFDocumentProxy, type PDFPageProxy }

// One worker for all documents, made by us: one that pdf.js made would end with the first document that is closed.
let shared: PDFWorker | undefined

export function openPdf(data: ArrayBuffer): Promise<PDFDocumentProxy> {
  shared ??= PDFWorker.create({ port: new Worker() })
  return getDocument({ data, worker: shared, enableXfa: false, useWasm: false }).promise
}
