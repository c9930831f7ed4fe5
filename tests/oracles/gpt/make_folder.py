#!/usr/bin/env python3
"""A GPT-2 with random weights as transformers save it (folder/), with the tokens, logits, attention [layer, head, query, key]
and greedy continuation that they make of a text (folder/expected.npz).

usage: make_folder.py      (after make_bpe.py; needs numpy, torch and transformers; writes beside itself)
"""
from pathlib import Path

import numpy
import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

HERE = Path(__file__).parent
TEXT = "The river's mill, größer als 漢字 in 1984, isn't it?\n  ok"


def main():
    torch.manual_seed(0)
    folder = HERE / "folder"
    tokenizer = GPT2TokenizerFast.from_pretrained(str(HERE / "bpe"))
    model = GPT2LMHeadModel(GPT2Config(vocab_size=640, n_positions=64, n_embd=12, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0, attn_implementation="eager")).eval()
    for parameter in model.parameters():  # nothing is 0 or 1 as initialisation leaves it
        parameter.data += torch.randn_like(parameter) * 0.2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tokens = torch.tensor([tokenizer(TEXT)["input_ids"]])
    with torch.no_grad():
        passed = model.double()(tokens, output_attentions=True)
        greedy = model.generate(tokens, max_new_tokens=20, do_sample=False, eos_token_id=None, pad_token_id=0)[0, tokens.shape[1]:].numpy()
    numpy.savez(folder / "expected.npz", tokens=tokens[0].numpy(), logits=passed.logits[0].numpy(),
                attention=torch.cat(passed.attentions).numpy(), greedy=greedy)
    for name in ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
