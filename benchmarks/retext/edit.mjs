// Accepts the first suggestion of retext's checkers everywhere. Reads lines of JSON, {"checker": ..., "text": ...}, and
// answers each with a line of JSON, the edited text.
import {createInterface} from 'node:readline'
import {unified} from 'unified'
import {VFile} from 'vfile'
import english from 'retext-english'
import stringify from 'retext-stringify'
import articles from 'retext-indefinite-article'
import contractions from 'retext-contractions'
import acronyms from 'retext-redundant-acronyms'
import repeated from 'retext-repeated-words'
import equality from 'retext-equality'
import simplify from 'retext-simplify'

const PRONOUNS = ['he-she', 'her-him', 'herself-himself']
const CHECKERS = {
  simplify: [simplify],
  equality: [equality],
  pronouns: [equality],
  usage: [articles, contractions, acronyms, repeated]
}
const processors = Object.fromEntries(
  Object.entries(CHECKERS).map(([name, plugins]) => [
    name,
    unified().use(english).use(plugins).use(stringify).freeze()
  ])
)

function edit(checker, text) {
  const file = new VFile(text)
  const processor = processors[checker]
  processor.runSync(processor.parse(file), file)
  const found = file.messages
    .filter((one) => one.place?.start && Array.isArray(one.expected))
    .filter((one) => checker !== 'equality' || !PRONOUNS.includes(one.ruleId))
    .map((one) => ({start: one.place.start.offset, end: one.place.end.offset, expected: one.expected[0]}))
    .sort((a, b) => a.start - b.start || b.end - a.end)
  let answer = ''
  let at = 0
  for (const {start, end, expected} of found) {
    if (start < at) continue
    let kept = text.slice(at, start)
    let word = expected ?? ''
    if (!word) kept = kept.replace(/ $/, '')
    else if (/^\p{Lu}/u.test(text.slice(start, end))) word = word[0].toUpperCase() + word.slice(1)
    answer += kept + word
    at = end
  }
  return answer + text.slice(at)
}

for await (const line of createInterface({input: process.stdin})) {
  const {checker, text} = JSON.parse(line)
  process.stdout.write(JSON.stringify(edit(checker, text)) + '\n')
}
