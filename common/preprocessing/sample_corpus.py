"""The embedded sample: short film reviews composed from templates, for a run without any download.

Word order decides most of them. In a mirrored pair the positive and the negative review hold the
same words, and only their order says which is which:

    Although the film had great visual effects, I thought it was terrible.
    Although the film had terrible visual effects, I thought it was great.

The other reviews are plain praise or blame, which counting words can tell apart. All unlabelled
reviews are plain: word vectors learn from them which words praise and which blame.
"""

import itertools
import random

from common.preprocessing.raw_reviews import RawReview, sort_reviews

PAIRS = {"train": 600, "test": 300}  # each a positive and a negative review of one film
UNLABELLED = 600
MIRRORED_SHARE = 0.5  # a bag of words gets half of these right, whatever it learns

# Strength -> kind -> (for praise, for blame). Adjectives and nouns fit after "a".
OPINIONS = {
    "strong": {
        "": ("great wonderful brilliant superb stunning beautiful".split(),
             "terrible dreadful horrible pathetic laughable miserable".split()),
        "_noun": ("masterpiece triumph gem classic delight".split(),
                  "disaster mess fiasco catastrophe failure".split()),
        "_verb": ("loved adored cherished".split(), "hated detested loathed".split()),
        "_advice": (
            ["Don't miss it.", "Go and see it.", "It deserves a prize.", "I recommend it."],
            ["Avoid it.", "Don't go near it.", "I want a refund.", "I'd rather do the dishes."])},
    "mild": {
        "": ("good charming funny pleasant clever touching".split(),
             "bad dull boring clumsy weak predictable".split()),
        "_noun": ("treat pleasure success charmer surprise".split(),
                  "letdown disappointment bore chore misfire".split()),
        "_verb": ("enjoyed liked admired".split(), "disliked resented regretted".split()),
        "_advice": (
            ["Give it a chance.", "It's worth the ticket.", "You won't be sorry.", "I can recommend it."],
            ["Don't bother.", "It isn't worth the ticket.", "You won't miss much.", "I fell asleep."])}}
RATINGS = {("pos", "strong"): (9, 10), ("pos", "mild"): (7, 8),
           ("neg", "mild"): (3, 4), ("neg", "strong"): (1, 2)}

# Each holds a verdict and its reverse once, so that swapping the two mirrors the sentence.
TURNS = [
    # contrast
    "Although the film had {reverse} {features}, I thought it was {verdict}.",
    "I thought it was {verdict}, although the film had {reverse} {features}.",
    "The {aspect} is {reverse}, but the film as a whole is {verdict}.",
    "Despite a {reverse} first act, it turns out to be {verdict}.",
    "Forget the {reverse} trailer: the film itself is {verdict}.",
    "It sounds {reverse} on paper, but on the screen it's {verdict}.",
    "It's {verdict}, however {reverse} the {aspect} may be.",
    "My {friend} {reverse_verb} it, but I {verdict_verb} it.",
    "I {verdict_verb} this one, although I {reverse_verb} the {aspect}.",
    # negation
    "It's not {reverse}, it's {verdict}.",
    "The {aspect} wasn't {reverse} at all, it was {verdict}.",
    "It is far from {reverse} and often {verdict}.",
    "The {aspect} is {verdict} and never {reverse}.",
    "I'd call it {verdict} rather than {reverse}.",
    "It's hardly a {reverse_noun}; if you ask me, it's a {verdict_noun}.",
    "This isn't the {reverse_noun} that my {friend} described, it's a {verdict_noun}.",
    "I can't say that I {reverse_verb} the {aspect}, because I {verdict_verb} it.",
    # expectation reversed
    "I expected a {reverse_noun} and got a {verdict_noun}.",
    "What begins as a {reverse_noun} ends as a {verdict_noun}.",
    "Everyone told me it was {reverse}, yet I found it {verdict}.",
    "The critics called it a {reverse_noun}; believe me, it's a {verdict_noun}.",
    "At first I {reverse_verb} the {aspect}, but by the end I {verdict_verb} it.",
    "I was ready for something {reverse}, and what I saw was {verdict}."]
PLAIN = [
    "The {aspect} is {verdict}.", "What a {verdict} film!", "I {verdict_verb} every minute of it.",
    "{star} gives a {verdict} performance as {hero}.", "I {verdict_verb} the {aspect}.",
    "From start to finish it's a {verdict_noun}.", "For the {features} alone it's a {verdict_noun}.",
    "{director} has made a {verdict} film with {verdict} {features}.",
    "My {friend} and I both {verdict_verb} it.", "There isn't a {reverse} scene in it.",
    "Everything about it is {verdict}, and the {aspect} above all.", "{verdict_advice}",
    # praise beside praise, blame beside blame: what word vectors learn their meaning from
    "The {aspect} is {verdict}, {more} and {most}.", "A {verdict}, {more} and {most} {genre}!",
    "It's {verdict}, it's {more}, it's a {verdict_noun}.",
    "With {more} {features} and a {most} cast, it's a {verdict} {verdict_noun}."]
# One of these names the film in every review: test films are others, so no test review is in train.
OPENERS = [
    "I saw {title} {when} with my {friend}.", "{title} is the latest film by {director}.",
    "My {friend} and I watched {title} {when}.", "It took {director} nine weeks to make {title}.",
    "In {title}, {role} meets {hero}.", "{title} is the story of {hero}, {role}.",
    "So this is {title}, the {genre} that everybody is talking about.",
    "I hadn't heard of {title} before I saw it {when}.", "They showed {title} on television."]
CLOSERS = ["So much for {title}.", "That's {title} in a nutshell.", "That was my evening with {title}.",
           "And that's all I have to say about {title}.", "These are my two cents on {title}."]
FACTS = [
    "{star} plays {hero}.", "It's more or less a {genre}.", "The story is set in {place}.",
    "It was filmed in {place}, where {hero} meets a stranger.",
    "{hero} doesn't say a word until the last scene.",
    "{director} also wrote the script.", "The cinema wasn't full, but nobody left early.",
    "I won't give away what happens to {hero}.", "There's a long scene on a train to {place}.",
    "{star} and {director} had worked together before.", "Its two hours begin and end in {place}."]

FEATURES = ["visual effects", "costumes", "songs", "stunts", "sets", "jokes", "photography", "camera work"]
ASPECTS = "acting script dialogue music ending plot pacing story cast editing".split()
FRIENDS = "wife husband brother sister neighbour mother boss friend".split()
TIMES = ["last night", "on a rainy Sunday", "at a festival", "on New Year's Eve", "on a long flight"]
GENRES = "thriller comedy drama western musical mystery romance".split()
PLACES = "Paris Lisbon Vienna Dublin Chicago Tokyo Naples Havana Oslo Cairo Boston Venice".split()
ROLES = ["a teacher who loses everything", "a detective with a secret", "a pilot who can't go home",
         "a painter who falls in love", "a clerk who robs a bank", "a reporter in search of the truth",
         "a doctor on the run", "a singer who doesn't sing any more", "a spy who wants to retire"]
FIRST_NAMES = "Robin Alex Kim Leslie Jean Terry Sam Chris Pat Charlie".split()
LAST_NAMES = "Hale Finch Moss Reed Lang Okafor Ito Novak Silva Berg Doyle Marsh Costa Weber".split()
TITLE_ADJECTIVES = ("Last Silent Golden Broken Hidden Crimson Lonely Burning Distant Frozen "
                    "Second Empty Velvet Wild Secret Fallen Silver Restless Paper Northern").split()
TITLE_NOUNS = ("Harbour Winter Garden Letter Mirror River Summer Stranger Bridge Promise Shadow Island "
               "Orchard Station Lantern Journey Castle Sparrow Witness Waltz Kingdom Tide Diary").split()


def sample_reviews(seed=0):
    """Compose the sample corpus; the same seed gives the same list in any process.

    Within a split the k-th positive and the k-th negative review are a pair about one film; test films, and the
    pairs of words weighed there, are not in train.

    Returns:
        list of RawReview, as of `sort_reviews`: 600 + 600 labelled and 600 unlabelled for training, 300 + 300 for
        testing.
    """
    rng = random.Random(seed)
    titles = [f"The {adjective} {noun}" for adjective in TITLE_ADJECTIVES for noun in TITLE_NOUNS]
    titles += [f"{noun} in {place}" for noun in TITLE_NOUNS for place in PLACES]
    rng.shuffle(titles)
    films = (_film(rng, f"tt{number:07d}", title) for number, title in enumerate(titles, start=1))

    reviews = []
    for split, count in PAIRS.items():
        for k, film in enumerate(_spread(rng, films, count, most=3)):
            strength = rng.choice(list(OPINIONS))
            if rng.random() < MIRRORED_SHARE:
                texts = _review(rng, film, split, strength, TURNS)
            else:
                texts = {label: _review(rng, film, split, strength, PLAIN)[label] for label in ("pos", "neg")}
            for label, text in texts.items():
                rating = rng.choice(RATINGS[label, strength])
                reviews.append(RawReview(split, label, f"{k}_{rating}.txt", rating, film["id"], text))
    for k, film in enumerate(_spread(rng, films, UNLABELLED, most=6)):
        text = _review(rng, film, "train", rng.choice(list(OPINIONS)), PLAIN)[rng.choice(("pos", "neg"))]
        reviews.append(RawReview("train", "unsup", f"{k}_0.txt", 0, film["id"], text))
    return sort_reviews(reviews)


def _film(rng, film_id, title):
    """What stays the same in all reviews of one film."""
    director, star, hero = rng.sample(LAST_NAMES, 3)
    return {"id": film_id, "title": title,
            "director": f"{rng.choice(('Mr.', 'Mrs.'))} {director}",
            "star": f"{rng.choice(FIRST_NAMES)} {star}",
            "hero": f"{rng.choice(('Dr.', 'Mr.', 'Mrs.', 'Capt.', 'Prof.'))} {hero}",
            "genre": rng.choice(GENRES), "place": rng.choice(PLACES), "role": rng.choice(ROLES)}


def _spread(rng, films, count, most):
    """Draw films, each for up to `most` places in a row, until `count` places are filled."""
    repeated = (itertools.repeat(film, rng.randint(most // 3, most)) for film in films)
    return itertools.islice(itertools.chain.from_iterable(repeated), count)


def _review(rng, film, split, strength, templates):
    """One review in its two versions, {"pos": text, "neg": text}."""
    sentences = rng.sample(templates, rng.choice((1, 2, 2, 3, 3, 3))) + rng.sample(FACTS, rng.randint(0, 1))
    rng.shuffle(sentences)
    if rng.random() < 0.75:
        sentences.insert(0, rng.choice(OPENERS))
    else:
        sentences.append(rng.choice(CLOSERS))

    texts = {"pos": "", "neg": ""}
    for template in sentences:
        gap = rng.choice((" ",) * 9 + ("<br /><br />",))
        for label, sentence in _sentence(rng, template, film, split, strength).items():
            texts[label] += (gap if texts[label] else "") + sentence
    return texts


def _sentence(rng, template, film, split, strength):
    """The template filled in as praise and as blame: the two exchange the verdict and its reverse."""
    slots = {"features": rng.choice(FEATURES), "aspect": rng.choice(ASPECTS),
             "friend": rng.choice(FRIENDS), "when": rng.choice(TIMES), **film}
    praise, blame = {}, {}
    for kind, words in OPINIONS[strength].items():
        # Both splits use every word, but training never weighs the two that test reviews weigh.
        held_out = list(zip(*words))
        seen = [pair for pair in itertools.product(*words) if pair not in held_out]
        good, bad = rng.choice(held_out if split == "test" else seen)
        praise |= {f"verdict{kind}": good, f"reverse{kind}": bad}
        blame |= {f"verdict{kind}": bad, f"reverse{kind}": good}
    praise["more"], praise["most"] = rng.sample(OPINIONS[strength][""][0], 2)
    blame["more"], blame["most"] = rng.sample(OPINIONS[strength][""][1], 2)
    return {"pos": template.format(**slots, **praise), "neg": template.format(**slots, **blame)}
