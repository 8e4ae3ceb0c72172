"""How a chain of thought is asked for and closed: our own words, by sub-dataset and language.

Data, no code. `{question}` and `{answer}` stand for the row's. A stop right after `{answer}` is
left out where the answer ends with one of its own. A template without a request is in each set on
purpose: people mostly just ask.
"""

from typing import NamedTuple


class Template(NamedTuple):
    """The user's turn, and the sentence that follows the rationale after a blank line."""

    asked: str
    closing: str


GENERAL = "general"
ENGLISH = "en"
CHINESE = "zh"

# fmt: off
TEMPLATES: dict[str, dict[str, tuple[Template, ...]]] = {
    GENERAL: {
        ENGLISH: (
            Template("{question}", "The answer is {answer}."),
            Template("{question}\n\nThink step by step before you answer.", "So the answer is {answer}."),
            Template("{question}\n\nExplain your reasoning first, then give the answer.", "Therefore, the answer is {answer}."),
            Template("Work through this step by step and end with the answer.\n\n{question}", "Answer: {answer}"),
            Template("{question}\n\nShow how you get there.", "That gives the answer: {answer}."),
        ),
        CHINESE: (
            Template("{question}", "答案是：{answer}。"),
            Template("{question}\n\n请先一步一步地思考，再回答。", "所以，答案是：{answer}。"),
            Template("{question}\n\n请先说明理由，再给出答案。", "因此，答案是：{answer}。"),
            Template("请逐步推理下面的问题，最后写出答案。\n\n{question}", "答案：{answer}"),
            Template("{question}\n\n请写出思考过程。", "由此得出答案：{answer}。"),
        ),
    },
    "aqua": {  # algebra with five lettered options
        ENGLISH: (
            Template("{question}", "The correct option is {answer}."),
            Template("{question}\n\nWork it out step by step, then name the right option.", "So the right option is {answer}."),
            Template("Solve the problem, show your working and choose one of the options.\n\n{question}", "This matches option {answer}."),
            Template("{question}\n\nShow the calculation before you choose.", "The answer is therefore {answer}."),
            Template("{question}\n\nWhich option is correct, and how do you get there?", "Answer: {answer}"),
        ),
        CHINESE: (
            Template("{question}", "正确的选项是 {answer}。"),
            Template("{question}\n\n请逐步计算，再选出正确的选项。", "所以应选 {answer}。"),
            Template("请解答下面的题目，写出计算过程，并从选项中选出一项。\n\n{question}", "与之相符的选项是 {answer}。"),
            Template("{question}\n\n请先列式计算，再作选择。", "因此，答案是 {answer}。"),
            Template("{question}\n\n哪个选项正确？请说明是怎么算出来的。", "答案：{answer}"),
        ),
    },
    "creak": {  # claims about things and people, true or not
        ENGLISH: (
            Template("{question}", "So the answer is {answer}."),
            Template("{question}\n\nSay what you know about it before you decide.", "With that in mind, the answer is {answer}."),
            Template("Weigh the claim below and give your reason before you answer yes or no.\n\n{question}", "That is why the answer is {answer}."),
            Template("{question}\n\nGive the reason first, then answer yes or no.", "Hence the answer: {answer}."),
            Template("{question}\n\nHow can one tell?", "Judging by this, the answer is {answer}."),
        ),
        CHINESE: (
            Template("{question}", "所以答案是：{answer}。"),
            Template("{question}\n\n请先说说你对此的了解，再作判断。", "由此看来，答案是：{answer}。"),
            Template("请判断下面的说法，先给出理由，再回答是或否。\n\n{question}", "这就是为什么答案是：{answer}。"),
            Template("{question}\n\n先讲理由，再回答是或否。", "因此回答：{answer}。"),
            Template("{question}\n\n怎样才能判断呢？", "据此判断，答案是：{answer}。"),
        ),
    },
    "ecqa": {  # common sense with five options in words
        ENGLISH: (
            Template("{question}", "The best choice is: {answer}."),
            Template("{question}\n\nExplain which option fits best before you choose it.", "So the option that fits best is: {answer}."),
            Template("Use common sense to choose one of the options, and say why.\n\n{question}", "My choice is therefore: {answer}."),
            Template("{question}\n\nThink about what each option would mean, then pick one.", "Of these options, the answer is: {answer}."),
            Template("{question}\n\nWhich one is it, and why?", "Answer: {answer}"),
        ),
        CHINESE: (
            Template("{question}", "最合适的选项是：{answer}。"),
            Template("{question}\n\n请先解释哪个选项最合适，再作选择。", "所以最合适的是：{answer}。"),
            Template("请凭常识从选项中选出一项，并说明理由。\n\n{question}", "因此我选择：{answer}。"),
            Template("{question}\n\n想一想每个选项意味着什么，然后选出一个。", "在这些选项中，答案是：{answer}。"),
            Template("{question}\n\n是哪一个？为什么？", "答案：{answer}"),
        ),
    },
    "esnli": {  # does the premise entail the hypothesis
        ENGLISH: (
            Template("{question}", "So the answer is: {answer}."),
            Template("{question}\n\nCompare the two statements before you answer.", "Comparing them leads to the answer: {answer}."),
            Template("Decide what follows from the text and what does not; reason first.\n\n{question}", "What can be concluded is therefore: {answer}."),
            Template("{question}\n\nSay what the first statement tells us and what it leaves open, then answer.", "From this, the answer is: {answer}."),
            Template("{question}\n\nWhy, or why not?", "Hence: {answer}."),
        ),
        CHINESE: (
            Template("{question}", "所以答案是：{answer}。"),
            Template("{question}\n\n请先比较两句话，再回答。", "两相比较，答案是：{answer}。"),
            Template("请判断从文中能推出什么、不能推出什么，先讲推理。\n\n{question}", "因此能够得出的结论是：{answer}。"),
            Template("{question}\n\n先说第一句话告诉了我们什么、没有说什么，再回答。", "由此可知，答案是：{answer}。"),
            Template("{question}\n\n为什么？", "因此：{answer}。"),
        ),
    },
    "gsm8k": {  # word problems whose answer is a number
        ENGLISH: (
            Template("{question}", "The answer is {answer}."),
            Template("{question}\n\nCalculate it step by step.", "So the result is {answer}."),
            Template("Solve this word problem and show each calculation.\n\n{question}", "The final number is {answer}."),
            Template("{question}\n\nWrite down each step, then the result.", "Result: {answer}"),
            Template("{question}\n\nHow did you work it out?", "That makes {answer}."),
        ),
        CHINESE: (
            Template("{question}", "答案是 {answer}。"),
            Template("{question}\n\n请一步一步地计算。", "所以结果是 {answer}。"),
            Template("请解答下面的应用题，并写出每一步算式。\n\n{question}", "最后的得数是 {answer}。"),
            Template("{question}\n\n请写出每一步，再写结果。", "结果：{answer}"),
            Template("{question}\n\n你是怎么算的？", "一共是 {answer}。"),
        ),
    },
    "qasc": {  # facts of science put together, eight lettered options
        ENGLISH: (
            Template("{question}", "The correct option is {answer}."),
            Template("{question}\n\nPut together the facts you need, then choose.", "Taken together, these facts point to {answer}."),
            Template("Answer this science question: state the facts first, then the option.\n\n{question}", "So the right option is {answer}."),
            Template("{question}\n\nWhich facts lead to the right option?", "This leads to {answer}."),
            Template("{question}\n\nReason from what is known and pick one option.", "Answer: {answer}"),
        ),
        CHINESE: (
            Template("{question}", "正确的选项是 {answer}。"),
            Template("{question}\n\n请先列出需要的事实，再作选择。", "综合这些事实，应选 {answer}。"),
            Template("请回答下面的科学题：先陈述事实，再给出选项。\n\n{question}", "所以正确的选项是 {answer}。"),
            Template("{question}\n\n由哪些事实可以得出正确的选项？", "由此得出 {answer}。"),
            Template("{question}\n\n请根据已知的知识推理，并选出一项。", "答案：{answer}"),
        ),
    },
    "qed": {  # a passage and a question about it
        ENGLISH: (
            Template("{question}", "The answer is: {answer}."),
            Template("{question}\n\nFind the sentence that tells it, then answer.", "According to the passage, the answer is: {answer}."),
            Template("Read the passage, say where the answer stands, and give it.\n\n{question}", "So the passage gives the answer: {answer}."),
            Template("{question}\n\nSay how the text leads to your answer.", "Hence the answer: {answer}."),
            Template("{question}\n\nWhich part of the text answers this?", "Answer: {answer}"),
        ),
        CHINESE: (
            Template("{question}", "答案是：{answer}。"),
            Template("{question}\n\n请先找出说明这一点的句子，再回答。", "根据文章，答案是：{answer}。"),
            Template("请阅读文章，指出答案在哪里，并写出答案。\n\n{question}", "所以文中给出的答案是：{answer}。"),
            Template("{question}\n\n请说明你是怎样从文中得出答案的。", "因此答案是：{answer}。"),
            Template("{question}\n\n文中哪一部分回答了这个问题？", "答案：{answer}"),
        ),
    },
    "sensemaking": {  # which of two sentences makes no sense
        ENGLISH: (
            Template("{question}", "So the answer is {answer}."),
            Template("{question}\n\nExplain what is odd about it.", "The odd one is therefore {answer}."),
            Template("Compare the two sentences below with what you know of the world, then answer.\n\n{question}", "So it has to be {answer}."),
            Template("{question}\n\nGive your reason before you name the sentence.", "For that reason it is {answer}."),
            Template("{question}\n\nWhy that one?", "Answer: {answer}"),
        ),
        CHINESE: (
            Template("{question}", "所以答案是{answer}。"),
            Template("{question}\n\n请解释它怪在哪里。", "因此不合常理的是{answer}。"),
            Template("请用生活常识比较下面两句话，再回答。\n\n{question}", "所以只能是{answer}。"),
            Template("{question}\n\n先讲理由，再指出是哪一句。", "出于这个原因，答案是{answer}。"),
            Template("{question}\n\n为什么是那一句？", "答案：{answer}"),
        ),
    },
    "strategyqa": {  # yes or no, from several facts
        ENGLISH: (
            Template("{question}", "So the answer is {answer}."),
            Template("{question}\n\nGather the facts that decide it, then answer yes or no.", "These facts make the answer {answer}."),
            Template("Break the question down into what has to be known, then answer yes or no.\n\n{question}", "Put together, the answer is {answer}."),
            Template("{question}\n\nReason from facts to a yes or a no.", "It follows that the answer is {answer}."),
            Template("{question}\n\nWhat speaks for it or against it?", "On balance, the answer is {answer}."),
        ),
        CHINESE: (
            Template("{question}", "所以答案是：{answer}。"),
            Template("{question}\n\n请先列出起决定作用的事实，再回答是或否。", "由这些事实可知，答案是：{answer}。"),
            Template("请把问题拆成需要知道的几点，再回答是或否。\n\n{question}", "综合起来，答案是：{answer}。"),
            Template("{question}\n\n请从事实出发，推出是或否。", "由此推出，答案是：{answer}。"),
            Template("{question}\n\n支持和反对的理由各是什么？", "权衡之下，答案是：{answer}。"),
        ),
    },
}
# fmt: on
