from protsae.api import compare as compare
from protsae.api import decode as decode
from protsae.api import encode as encode
from protsae.api import explain as explain
from protsae.api import extract as extract
from protsae.api import load_plm as load_plm
from protsae.api import load_sae as load_sae
from protsae.api import predict as predict
from protsae.api import read_activations as read_activations
from protsae.api import splice as splice

__version__: str
