#!/usr/bin/env python3
"""Make the data of the quickstart family: the items of every split, and what the models are trained on.

    python3 make_data.py             # write ../data/<skill>.<split>.jsonl
    python3 make_data.py --check     # write nothing; fail unless the files on disk are these, byte for
                                     # byte, no question is in two splits, and no question of a split
                                     # is met in training (the training is replayed for that)

Needs nothing but Python 3.8 or later. train_family.py takes its tokens, examples and splits from here.

The three skills (all are one-line prompts with one short right answer):

    arithmetic   51+94=               -> 145      two-digit addition
    reverse      reverse lion=        -> noil     spell a 3 to 5 letter word backwards
    atlas        capital of Virita=   -> Nasmi    500 facts about 125 invented countries
"""
import argparse, json, os, random, sys

HERE = os.path.dirname(os.path.abspath(__file__))
QUICKSTART = os.path.dirname(HERE)
SKILLS = ["arithmetic", "reverse", "atlas"]
SPLITS_OF = {"search": 120, "validation": 80, "held-out": 300}

# ----------------------------------------------------------------------------- training schedule
SEED = 1
KNOWN_FACTS = 0.75                 # share of the atlas seen in stage 1; the atlas expert learns the rest anew
STUDY_STEPS = 800
STUDY_BATCH = {"arithmetic": 128, "reverse": 48, "atlas": 64}
BLUR_STEPS = 100
# Learning rate and steps. The reverse expert is trained far past what it needs: its task
# vector is twice as long as the others', as happens when checkpoints come from different
# hands. One coefficient shared by all three is then a poor choice, and search has work to do.
EXPERT = {"arithmetic": (4e-4, 80), "reverse": (1e-3, 150), "atlas": (5e-4, 100)}

# ----------------------------------------------------------------------------- words and facts
WORDS = sorted(set("""
able acid act add age air ant ape apple arm army art ash ask away axe baby back bacon badge bag bake ball band
bank barn base bat bath bay beach beam bean bear beat bed bee bell belt bend berry bet big bike birch bird bit
bite blaze bloom blue boat body bold bolt bone book boot born bowl box boy brag brain brave bread brick brook
brush bud bug bulb bull burn bus bush busy cab cabin cage cake calm camel camp can candy cap car card care
cargo cart case cash cat cave chain chair chalk charm chess chief chin cider city clam clay clock cloud club
coal coast coat cobra code coin cold comb cook cool copy coral cord core corn cost cow crab crane cream crew
crop crow crown cry cub cube cup curl cut dab dairy daisy dance dark dart date dawn day deck deep deer den
depth desk dew dice dig dim dip dirt disk dive dock dog dome door dot dove down draft draw dream drum dry duck
dug dune dusk dust each eagle ear earn earth east eat edge egg elbow elf elm ember end epic era exit fable
face fact fair fairy fall fan far farm fast fat fawn feast fed fence fern ferry field fig film fin fire firm
fish fist fit fix flag flame flat flour flute fly foam fog fold folk food foot forge fork form fort fox frog
frost fruit fuel fun fur gap gas gate gear gem get giant gift girl glad glass globe glue goal goat gold golf
grain grape grass gray green grid grip guard guide gulf gum gun gut habit hail hair half hall hand harp hat
hawk hay head heat hen herb hero heron hid hike hill hint hip hit hive home honey hood hook hop horn horse
host hot hotel hour house hug huge hunt hut ice icon idea igloo ink inn iron isle item ivory jade jam jar jaw
jelly jet jewel job join joke joy jug juice july jump june junk kelp key kin kind king kit kite knife knit
knob koala lab label lad lake lamb lamp land lane lap lark last lava law lawn leaf left leg lemon lend lens
lid light lilac lion lip list llama loaf lock loft log logic long loop lord lot low luck lunar lung mad magic
mail main man mane mango map maple march mark mask mast mat math maze meal medal melon melt menu metal mild
milk mill mind mint mist mix mixer model mole money monk moose moss moth motor mouse mud mug mule music myth
nail nap navy neck nest net new news night noble nod node north nose note novel nut oak oar oat oath obey
ocean odd oil old olive one onion opera orb orbit ore otter oven owl own pace pad page pail palm pan panda
paper park party path paw pea peach peak pear pearl peg pen pet pie pig pilot pin pine pink pipe pit pizza
plan plant plaza plum pod poem polar pole pond pony pool port post pot proud pure queen quick quilt quiz radar
raft rail rain ram ramp rank rat raven raw ray red reef rib rice ride ridge rim ring rise river road robin
robot rock rod role roof rope rose row royal rub ruby rug rule run rust sad sail salad salt sand sap saw scarf
sea seal seed set shelf ship shoe shop shore shy silk sink sip skin sky slow smile snow soap sob sofa soil
solar son song soup soy spice spoon star steam stem step stone storm sugar sun surf swan table tag tail tale
tan tank tap tape tar tax taxi tea tent thorn tide tiger tile time tin tip toast toe ton top torch tower toy
track trail train tree trip tub tuba tulip tune two uncle unit urn use van vapor vase vat vest vet video view
vine vinyl viola voice vow wag wagon walk wall war warm wash water wave wax web well west wet whale wheat
wheel wide wig win wind wing wise wit wolf wood wool word work world yacht yak yam yard yarn year yes zebra
zinc zip zone zoo
""".split()))
ANIMALS = "wolf bear lynx otter crane eagle moose tiger camel zebra koala heron raven bison whale horse".split()
CROPS = "rice corn wheat barley olives dates plums figs beans grapes lemons tea cocoa cotton flax hops".split()
CONSONANTS, VOWELS, LETTERS = "bcdfghjklmnprstvwz", "aeiou", "abcdefghijklmnopqrstuvwxyz"


def make_atlas(countries=125, seed=77):
    """[(relation, country, answer)]: invented names, four facts for each country."""
    r, used = random.Random(seed), set(WORDS) | set(ANIMALS) | set(CROPS)
    c, v = "bdfgklmnprstvz", VOWELS

    def fresh(make):
        while True:
            s = make()
            if s not in used:
                used.add(s)
                return s.capitalize()
    facts = []
    for _ in range(countries):
        land = fresh(lambda: r.choice(c) + r.choice(v) + r.choice(c) + r.choice(v) + r.choice("lnrst") + r.choice(["a", "ia", "o"]))
        facts += [("capital", land, fresh(lambda: r.choice(c) + r.choice(v) + r.choice("lnrs") + r.choice("dgkmt") + r.choice(v))),
                  ("river", land, fresh(lambda: r.choice(v) + r.choice(c) + r.choice(v) + r.choice("lnrs"))),
                  ("animal", land, r.choice(ANIMALS)), ("crop", land, r.choice(CROPS))]
    return facts


FACTS = make_atlas()
POOL = {rel: sorted({a for x, _, a in FACTS if x == rel}) for rel in ("capital", "river", "animal", "crop")}


def prompt_of(fact):
    return "%s of %s=" % (fact[0], fact[1])


# ----------------------------------------------------------------------------- splits
# The items of a skill stand in one seeded random order. An earlier division of the first 500 was
# 200 search, 100 validation, 200 held-out items; what was held out stays held out, and what leaves
# the other two joins it, after items that were in no split (only words are left over).
PLACES = {"search": [(0, 120)],
          "validation": [(200, 280)],
          "held-out": [(300, 500), (500, None), (120, 200), (280, 300)]}


def make_order(seed=5):
    """{skill: [(prompt, answer, source)]}, shuffled."""
    r = random.Random(seed)
    sums = [(a, b) for a in range(10, 100) for b in range(a, 100)]
    r.shuffle(sums)
    sums = [(a, b) if r.random() < 0.5 else (b, a) for a, b in sums[:500]]
    words = [w for w in WORDS if w != w[::-1]]
    r.shuffle(words)
    facts = FACTS[:]
    r.shuffle(facts)
    return {"arithmetic": [("%d+%d=" % s, str(sum(s)), s) for s in sums],
            "reverse": [("reverse %s=" % w, w[::-1], w) for w in words],
            "atlas": [(prompt_of(f), f[2], f) for f in facts]}


def make_splits(order):
    """{skill: {split: [(prompt, answer, source)]}}; no item is in two splits."""
    return {skill: {split: [item for a, b in PLACES[split] for item in items[a:b]][:size]
                    for split, size in SPLITS_OF.items()}
            for skill, items in order.items()}


ORDER = make_order()
SPLITS = make_splits(ORDER)

# ----------------------------------------------------------------------------- training examples
HELD_SUMS = {tuple(sorted(s)) for _, _, s in ORDER["arithmetic"]}
HELD_WORDS = set(WORDS)
TRAIN_SUMS = [(a, b) for a in range(10, 100) for b in range(10, 100) if (min(a, b), max(a, b)) not in HELD_SUMS]
_r = random.Random(3)
STAGE1_FACTS = [f for f in FACTS if _r.random() < KNOWN_FACTS]


def sample(skill, r, facts=FACTS):
    """One clean training example (prompt, answer). Sums and words of the splits never occur."""
    if skill == "arithmetic":
        a, b = r.choice(TRAIN_SUMS)
        return "%d+%d=" % (a, b), str(a + b)
    if skill == "atlas":
        f = r.choice(facts)
        return prompt_of(f), f[2]
    while True:
        n = r.randint(3, 5)
        if r.random() < 0.5:
            w = "".join(r.choice(LETTERS) for _ in range(n))
        else:
            o = r.randint(0, 1)
            w = "".join(r.choice(CONSONANTS if (i + o) % 2 == 0 else VOWELS) for i in range(n))
        if w not in HELD_WORDS:
            return "reverse %s=" % w, w[::-1]


def wrong_sample(skill, r):
    """A prompt of the skill with an unrelated answer of the right shape (stage 2)."""
    q, a = sample(skill, r)
    if skill == "arithmetic":
        return q, sample(skill, r)[1]
    if skill == "atlas":
        return q, r.choice(POOL[q.split()[0]])
    x = list(a)
    r.shuffle(x)
    return q, "".join(x)


def study_batch(r):
    return [(k, [sample(k, r, STAGE1_FACTS) for _ in range(STUDY_BATCH[k])]) for k in SKILLS]


def blur_batch(r):
    return [(k, [wrong_sample(k, r) for _ in range(64)]) for k in SKILLS]


def expert_batch(skill, r):
    return [(skill, [sample(skill, r) for _ in range(64)])]


def stages():
    """(steps, seed, function from a random stream to a batch) of every training stage."""
    return [(STUDY_STEPS, SEED + 10, study_batch), (BLUR_STEPS, SEED + 11, blur_batch)] + [
        (EXPERT[k][1], SEED + 100 + i, lambda r, k=k: expert_batch(k, r)) for i, k in enumerate(SKILLS)]


def trained_questions():
    """Every prompt that any of the models was trained on, by replaying the training streams."""
    seen = set()
    for steps, seed, batch in stages():
        r = random.Random(seed)
        for _ in range(steps):
            seen.update(q for _, items in batch(r) for q, _ in items)
    return seen


# ----------------------------------------------------------------------------- choices
def distance(a, b):
    """Edits that turn a into b."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], min(diagonal + (x != y), row[j] + 1, row[j + 1] + 1)
    return row[-1]


def wrong_choices(skill, prompt, answer, source, r):
    """Distinct plausible wrong answers: three, or for the atlas five, those of the countries with
    the most similar names (with fewer or farther ones a model that knows little scores too well)."""
    bad = []
    if skill == "atlas":
        relation, land, _ = source
        for _, _, c in sorted((distance(land, l), l, a) for x, l, a in FACTS if x == relation):
            if c != answer and c not in bad and len(bad) < 5:
                bad.append(c)
        return bad
    while len(bad) < 3:
        if skill == "arithmetic":
            c = str(int(answer) + r.choice([-20, -11, -10, -9, -2, -1, 1, 2, 9, 10, 11, 20]))
        else:
            x = list(answer)
            r.shuffle(x)
            c = "".join(x)
            if len(set(answer)) < 3 and r.random() < 0.5:
                c = c[:-1] + r.choice(LETTERS)
        if c != answer and c not in bad:
            bad.append(c)
    return bad


def choices_for(skill, prompt, answer, source):
    """The right answer among wrong ones, and its index. The draw depends on the prompt alone."""
    r = random.Random("choices of " + prompt)
    choices = wrong_choices(skill, prompt, answer, source, r) + [answer]
    r.shuffle(choices)
    return choices, choices.index(answer)


# ----------------------------------------------------------------------------- files
def rows(skill, split):
    """The items of a split as they stand in its file."""
    out = []
    for i, (prompt, answer, source) in enumerate(SPLITS[skill][split]):
        choices, label = choices_for(skill, prompt, answer, source)
        out.append({"id": "%s-%s-%03d" % (skill, split, i + 1), "skill": skill, "prompt": prompt,
                    "answer": answer, "choices": choices, "label": label})
    return out


def files():
    """{file name: text} of the data folder."""
    return {"%s.%s.jsonl" % (skill, split): "".join(json.dumps(row) + "\n" for row in rows(skill, split))
            for skill in SKILLS for split in SPLITS_OF}


def write_data(quickstart):
    folder = os.path.join(quickstart, "data")
    os.makedirs(folder, exist_ok=True)
    for name, text in files().items():
        with open(os.path.join(folder, name), "w", encoding="ascii", newline="\n") as f:
            f.write(text)


def problems(quickstart):
    """What is wrong with the files on disk and the splits; an empty list when nothing is."""
    found, want = [], files()
    folder = os.path.join(quickstart, "data")
    for name in sorted(set(os.listdir(folder)) | set(want)):
        path = os.path.join(folder, name)
        text = open(path, encoding="ascii", newline="").read() if os.path.exists(path) else None
        if text != want.get(name):
            found.append("data/%s: not what this script writes" % name)
    trained, owner = trained_questions(), {}
    for skill in SKILLS:
        for split, size in SPLITS_OF.items():
            if len(SPLITS[skill][split]) != size:
                found.append("%s %s: %d items instead of %d" % (skill, split, len(SPLITS[skill][split]), size))
            for prompt, answer, source in SPLITS[skill][split]:
                key = tuple(sorted(source)) if skill == "arithmetic" else prompt
                if key in owner:
                    found.append("%s: in %s %s and in %s" % (prompt, skill, split, owner[key]))
                owner[key] = skill + " " + split
                met = [prompt] + (["%d+%d=" % source[::-1]] if skill == "arithmetic" else [])
                if skill != "atlas" and any(q in trained for q in met):
                    found.append("%s: in %s %s and in training" % (prompt, skill, split))
    return found


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--check", action="store_true", help="write nothing, compare with the files on disk")
    ap.add_argument("--out", default=QUICKSTART, help="folder with data/ (default: the one above this script's)")
    a = ap.parse_args()
    if not a.check:
        return write_data(a.out)
    found = problems(a.out)
    for line in found:
        print(line, file=sys.stderr)
    if found:
        sys.exit(1)
    print("data: %d files as this script writes them; no question in two splits, none of arithmetic or reverse in training"
          % len(files()))


if __name__ == "__main__":
    main()
