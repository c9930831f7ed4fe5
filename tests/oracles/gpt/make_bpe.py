#!/usr/bin/env python3
"""A small byte-level BPE as GPT-2's (bpe/vocab.json, merges.txt, tokenizer.json), made by the library tokenizers, and
what transformers' GPT2TokenizerFast makes of strings that are hard on a tokenizer (bpe/cases.json).

usage: make_bpe.py      (needs tokenizers and transformers; writes beside itself)
"""
import json
import random
from pathlib import Path

from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2TokenizerFast

FOLDER = Path(__file__).parent / "bpe"

TEXT = """The river ran past the mill, and the miller's daughter counted the wheels: one, two, three, twelve.
She'd said they're late; we've waited, I'm cold, you'll see, it's four o'clock and he doesn't care.
int main() { for (int i = 0; i < 1024; ++i) { sum += values[i] * 3.14159; } return 0; }
Die Mühle am Fluß mahlt das Korn, größer als je zuvor; über den Dächern hängt Nebel. L'été, à côté de la forêt.
В старом доме у реки жил мельник. Вода была холодной, а зима длинной. 数字と文字、漢字も入っています。水车在河边转动。
2023-11-05 17:45:09 0x1F600 1,000,000.50 x² + y² = z²  naïve café résumé   tabs\tand   spaces

    indented lines, and more of them
        with eight spaces, as programs have them
😀 🎉 👩‍👩‍👧 ½ ⅓ ٣٤٥ १२३
"""

HOSTILE = [
    "", " ", "  ", "   a", "a   ", "\n", "\n\n\n", " \n ", "\t\t x", "\r\n\r\n", "a\u00a0b", "\u3000\u3000x", "\u2028x\u2029", "a\u0085b",
    "\u180ex", "\u200b\u200b", "\ufeffx", "\u200d", "e\u0301", "'s't're've'm'll'd", "'S 'T 'RE", "it's they're I'M", "''s", "' s", "o'clock",
    "123abc456", "12 34  56", "½⅓²³", "٣٤٥ १२३", "ⅧⅫ", "x²+y²", "a_b-c.d", "!!!???", " !!! ???", "...", "$€£¥", "=>-><=", "/* c */", "\\n",
    "naïve café", "Fluß größer", "мельник В старом", "漢字と文字", "수레바퀴", "שלום עולם", "سلام دنیا", "ไทยภาษา", "नमस्ते", "😀🎉", "👩‍👩‍👧",
    "🇩🇪🇫🇷", "a😀b", "\U0001f600 \U0001f600", "\U0010ffff", "\ue000", "\ufffd", "\x00", "\x00\x01\x02", "\x7f\x80\x9f", "\x1b[31mred",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext|", "<<|endoftext|>>", "<|ENDOFTEXT|>",
    "Ġ", "ĠĠ a", "Ċ", "â", "İstanbul", "ǅ ǆ", "ﬁ ﬂ", "ß ẞ", "Å Å", "\u0345", "\u20dd a", "a\u20ddb", "٪", "०", "〇", "㊀", "①②",
    "a" * 3000, " " * 3000, "ab" * 700, "\n " * 300, "1" * 1000, "'" * 500, "é" * 777, "the " * 400, "x\t" * 100,
]


def random_strings():
    """Mixtures of all classes of characters."""
    rng = random.Random(5)
    pool = list("abcXYZ 019'.,!-_\n\t\r") + ["'s", "'ll", "  ", "é", "ß", "м", "漢", "😀", "²", "٣", "\u00a0", "\u3000", "\u0301", "\u200d", "\x85", "the", " river"]
    for _ in range(200):
        yield "".join(rng.choice(pool) for _ in range(rng.randint(1, 40)))
    for _ in range(60):  # any code points but surrogates
        yield "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(20)) if not 0xD800 <= c < 0xE000)


def main():
    FOLDER.mkdir(exist_ok=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([TEXT] * 3, vocab_size=640, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.save_model(str(FOLDER))
    fast = GPT2TokenizerFast.from_pretrained(str(FOLDER))
    fast.backend_tokenizer.save(str(FOLDER / "tokenizer.json"), pretty=False)
    cases = []
    for text in HOSTILE + list(random_strings()):
        ids = fast(text)["input_ids"]
        cases.append({"text": text, "ids": ids, "decoded": fast.decode(ids, clean_up_tokenization_spaces=False)})
    (FOLDER / "cases.json").write_text(json.dumps({"vocabulary": len(fast), "cases": cases}))
    print(len(fast), "tokens,", len(cases), "cases")


if __name__ == "__main__":
    main()
