"""Words drawn from a language model, one after the other."""

import torch


def sampling_probabilities(logits, temperature, top_p=1.0):
    """Probabilities of the next word.

    Args:
        logits: (batch, vocab) float; word 0, the unknown token, is never sampled.
        temperature: above 0; the logits are divided by it.
        top_p: only the likeliest words that together reach this probability are kept (nucleus
            sampling, Holtzman et al. 2020); 1 keeps all.

    Returns:
        (batch, vocab) float, rows that sum to 1.
    """
    logits = logits / temperature
    logits[:, 0] = -torch.inf
    probabilities = logits.softmax(dim=1)
    if top_p < 1:
        ordered, words = probabilities.sort(dim=1, descending=True)
        beyond = ordered.cumsum(dim=1) - ordered >= top_p
        beyond[:, 0] = False                                                    # where top_p is nothing in float32
        probabilities = probabilities.scatter(1, words, ordered.masked_fill(beyond, 0))
        probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
    return probabilities


def sample(probabilities):
    """Draw a word from each row of probabilities (batch, vocab) -> (batch, 1) int64, by inverting their sums.

    On a CPU torch.multinomial takes fifty times as long, longer than the model.
    """
    cumulative = probabilities.double().cumsum(dim=1)                           # batch, vocab
    drawn = torch.rand_like(cumulative[:, :1]) * cumulative[:, -1:]             # batch, 1
    return torch.searchsorted(cumulative, drawn, right=True)


@torch.inference_mode()
def generate(model, prompts, length, temperature, top_p=1.0):
    """Continue each prompt to a review of `length` words, all at once.

    Args:
        model: RNN_language_model in evaluation mode.
        prompts: list of lists of token ids, of any lengths from 1 on.

    Returns:
        (token_ids, probabilities): (reviews, length) int64, the prompts' own at the start; (reviews, length)
        float, the probability that each word was drawn with, NaN in the prompts.
    """
    device = model.embedding.weight.device
    token_ids = torch.zeros(len(prompts), max(length, *map(len, prompts)), dtype=torch.long, device=device)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    for row, prompt in zip(token_ids, prompts):
        row[:len(prompt)] = torch.tensor(prompt, device=device)
    drawn_with = torch.full(token_ids.shape, torch.nan, device=device)
    model.reset_state()
    for step in range(1, token_ids.shape[1]):
        logits = model.next_word_logits(token_ids[:, step - 1:step])[:, -1].float()     # reviews, vocab
        probabilities = sampling_probabilities(logits, temperature, top_p)
        sampled = sample(probabilities)                                         # reviews, 1
        given = step < lengths
        token_ids[:, step] = torch.where(given, token_ids[:, step], sampled[:, 0])
        drawn_with[:, step] = torch.where(given, torch.nan, probabilities.gather(1, sampled)[:, 0])
    return token_ids[:, :length], drawn_with[:, :length]
