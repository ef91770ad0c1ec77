"""libllama through ctypes, as much of it as a comparison needs.

The parameter structures change from release to release, so they are taken as the
library's own defaults in an oversized block and edited where their layout is
certain: the first three numbers of the context's are its lengths, the run of
four times -1 ends with the switch for flash attention, and the only two
neighbouring ones after it are the types of the cache (1 is F16, 0 is F32).
"""

import ctypes
import math
import os
import struct
from ctypes import POINTER, byref, c_bool, c_char_p, c_float, c_int8, c_int32, c_void_p


class Block(ctypes.Structure):
    """A structure of unknown length, passed by value in memory."""
    _fields_ = [("bytes", ctypes.c_ubyte * 1024)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", c_void_p), ("pos", POINTER(c_int32)),
                ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8))]


class Llama:
    def __init__(self, library, model, length=128):
        folder = os.path.dirname(os.path.abspath(library))
        ctypes.CDLL(os.path.join(folder, "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
        ggml = next(n for n in sorted(os.listdir(folder)) if n.startswith("libggml.") or n == "libggml.so")
        self.ggml = ctypes.CDLL(os.path.join(folder, ggml), mode=ctypes.RTLD_GLOBAL)
        self.ggml.ggml_backend_load_all_from_path(folder.encode())
        self.lib = lib = ctypes.CDLL(library)
        lib.llama_version.restype = c_char_p
        self.version = lib.llama_version().decode()
        for name in ["llama_model_default_params", "llama_context_default_params"]:
            getattr(lib, name).restype = Block
        for name in ["llama_model_load_from_file", "llama_init_from_model", "llama_model_get_vocab", "llama_get_memory"]:
            getattr(lib, name).restype = c_void_p
        lib.llama_model_load_from_file.argtypes = [c_char_p, Block]
        lib.llama_init_from_model.argtypes = [c_void_p, Block]
        lib.llama_model_get_vocab.argtypes = [c_void_p]
        lib.llama_vocab_n_tokens.argtypes = [c_void_p]
        lib.llama_tokenize.argtypes = [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool]
        lib.llama_token_to_piece.argtypes = [c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool]
        lib.llama_batch_init.restype = Batch
        lib.llama_batch_init.argtypes = [c_int32, c_int32, c_int32]
        lib.llama_decode.argtypes = [c_void_p, Batch]
        lib.llama_get_logits_ith.restype = POINTER(c_float)
        lib.llama_get_logits_ith.argtypes = [c_void_p, c_int32]
        lib.llama_get_memory.argtypes = [c_void_p]
        lib.llama_memory_clear.argtypes = [c_void_p, c_bool]
        self.log = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)(self._log)
        self.errors = []
        lib.llama_log_set(self.log, None)
        lib.llama_backend_init()

        self.model = lib.llama_model_load_from_file(model.encode(), lib.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{model}: not loaded: " + "".join(self.errors))
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.size = lib.llama_vocab_n_tokens(self.vocab)
        self.length = length
        self.context = lib.llama_init_from_model(self.model, self._context_params(length))
        if not self.context:
            raise SystemExit(f"{model}: no context: " + "".join(self.errors))
        self.batch = lib.llama_batch_init(length, 0, 1)

    def _log(self, level, text, _):
        if level >= 3:
            self.errors.append(text.decode(errors="replace"))

    def _context_params(self, length):
        p = self.lib.llama_context_default_params()
        words = list(struct.unpack("<256i", bytes(p.bytes)))
        words[0:3] = [length] * 3
        at = next(i for i in range(3, 40) if words[i:i + 4] == [-1] * 4)
        threads = next(i for i in range(3, at) if words[i] == 4 and words[i + 1] == 4)
        words[threads:threads + 2] = [1, 1]
        words[at + 3] = 0
        cache = next(i for i in range(at + 4, 60) if words[i:i + 2] == [1, 1])
        words[cache:cache + 2] = [0, 0]
        ctypes.memmove(byref(p), struct.pack("<256i", *words), 1024)
        return p

    def tokenize(self, text, special=False):
        raw = text.encode()
        out = (c_int32 * 4096)()
        n = self.lib.llama_tokenize(self.vocab, raw, len(raw), out, 4096, True, special)
        return list(out[:n])

    def logprobs(self, tokens):
        """Log-probabilities of the next token after every position, one list each."""
        b = self.batch
        b.n_tokens = len(tokens)
        for i, t in enumerate(tokens):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = t, i, 1, 1
            b.seq_id[i][0] = 0
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        if self.lib.llama_decode(self.context, b) != 0:
            raise SystemExit("llama_decode failed: " + "".join(self.errors))
        rows = []
        for i in range(len(tokens)):
            x = self.lib.llama_get_logits_ith(self.context, i)[:self.size]
            top = max(x)
            total = top + math.log(math.fsum(math.exp(v - top) for v in x))
            rows.append([v - total for v in x])
        return rows

    def greedy(self, tokens, count, stop):
        """The likeliest continuation, computed anew for every token, and the
        smallest lead of a chosen token over the next."""
        out, lead = [], math.inf
        while len(out) < count and len(tokens) + len(out) < self.length:
            row = self.logprobs(tokens + out)[-1]
            best = max(range(self.size), key=lambda i: row[i])
            second = max(v for i, v in enumerate(row) if i != best)
            lead = min(lead, row[best] - second)
            if best in stop:
                break
            out.append(best)
        return out, lead
