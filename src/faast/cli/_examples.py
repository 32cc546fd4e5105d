"""Examples that `--help` shows.

In this order they are one session, each using files that earlier ones wrote; a test runs it.
"""

EXAMPLES = {
    "demo": ["faast demo"],
    "learn": [
        "faast learn reviews.csv -o reviews.faast",
        "faast learn images/ -o images.faast",
        "faast learn features.npz -o features.faast",
        "faast learn reviews.csv -o meanings.faast --encoder minilm --keep-features",
        "faast learn reviews.csv -o reviews.faast --ray local",
        "faast learn flats.csv --target price -o flats.faast",
    ],
    "add": [
        "faast add reviews.faast more.csv",
        "cat more.csv | faast add meanings.faast - -o grown.faast",
    ],
    "predict": [
        "faast predict reviews.faast new.txt",
        'faast predict reviews.faast --row "worth every penny"',
        "cat new.txt | faast predict meanings.faast - --json",
        "faast predict reviews.faast new.txt --min-precision 0.8",
    ],
    "evaluate": [
        "faast evaluate reviews.faast test.csv",
        "faast evaluate reviews.faast test.csv --plot confusion.png --json",
        "faast evaluate reviews.faast test.csv --curve coverage.png",
    ],
    "suspects": [
        "faast suspects reviews.faast reviews.csv > suspects.csv",
        "faast suspects reviews.faast reviews.csv -n 20 --json",
    ],
    "relabel": [
        "faast relabel reviews.faast reviews.csv suspects.csv -o corrected.faast",
        "faast relabel reviews.faast reviews.csv suspects.csv --table corrected.csv",
    ],
    "suggest": [
        "faast suggest reviews.faast new.txt -n 20 > label_these.csv",
        "cat new.txt | faast suggest reviews.faast - --json",
    ],
    "explain": [
        'faast explain reviews.faast --row "worth every penny"',
        'faast explain reviews.faast --row "poor quality" --plot words.png --json',
    ],
    "watch": [
        "faast watch reviews.faast new.txt",
        "cat new.txt | faast watch reviews.faast - --alarm-rate 0.001 --plot evidence.png",
    ],
    "forget": ["faast forget reviews.faast more.csv"],
    "merge": ["faast merge reviews.faast other.faast -o both.faast"],
    "classes rename": ["faast classes rename reviews.faast bad negative"],
    "classes merge": ["faast classes merge reviews.faast good negative --into all -o all.faast"],
    "classes split": ["faast classes split reviews.faast good great.csv"],
    "classes alias": ["faast classes alias reviews.faast bad negative"],
    "classes order": ["faast classes order reviews.faast negative good"],
    "inspect": ["faast inspect reviews.faast"],
    "export": ["faast export reviews.faast --onnx reviews.onnx"],
    "serve start": ["faast serve tasks", "faast serve tasks --host 0.0.0.0 --port 8080"],
    "serve token create": ["faast serve token create desk --scope teach --folder tasks"],
    "serve token list": ["faast serve token list --folder tasks"],
    "serve token revoke": ["faast serve token revoke desk --folder tasks"],
    "compare": [
        "faast compare reviews.csv test.csv",
        "faast compare reviews.csv test.csv --encoder minilm --method gda --method logistic",
    ],
    "bench few-shot": ["faast bench few-shot reviews.csv test.csv --shots 5 --queries 5 --quick"],
    "bench full": ["faast bench full reviews.csv test.csv --method gda"],
    "bench streaming": ["faast bench streaming features.npz features.npz --tasks 2"],
    "bench sensitivity": ["faast bench sensitivity features.npz features.npz"],
    "bench efficiency": ["faast bench efficiency --quick --method k-nn"],
}
