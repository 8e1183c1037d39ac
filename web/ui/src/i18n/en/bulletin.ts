/* Typed bulletins that a voice reads out, in English. */

import type { bulletin as vi } from '../vi/bulletin.ts'

export const bulletin: typeof vi = {
  bulletin: {
    tab: 'Read a notice',
    tabShort: 'Notice',
    title: 'Title',
    titleExample: 'For example: vaccination days in November',
    text: 'Text',
    textOf: (n) => `Text of part ${n}`,
    textExample: 'Type or paste the text here. A blank line ends a paragraph.',
    language: 'Language',
    voice: 'Voice',
    noVoices: 'The list of voices did not come; the default voice will read.',
    addPart: 'Add a part, another language',
    removePart: (n) => `Remove part ${n}`,
    speed: 'Speed',
    normalSpeed: 'normal',
    slower: (n) => `${n} times, slower`,
    faster: (n) => `${n} times, faster`,
    bed: 'Soft music under the voice',
    count: (n, of) => `${n} / ${of} characters`,
    preview: 'Hear it first',
    previewing: 'Reading it out…',
    previewed: 'The first minute',
    reading: 'See how it is read',
    readingBusy: 'Looking…',
    said: 'It will be read as',
    save: 'Save and air…',
    saving: 'Saving…',
    missing: {
      text: 'Type what is to be read.',
      title: 'Give the notice a title.',
      long: 'The notice is too long. Make several of it.',
    },
    made: 'The notice is saved; it is also in the list of “Air a file”.',
    edit: 'Change the text',
    another: 'Write another notice',
    failed: 'This notice cannot be read out',
  },
}
