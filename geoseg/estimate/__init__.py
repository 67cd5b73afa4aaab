"""What a run will cost, before it is begun: `geoseg plan`.

``sample`` sends some of the scene's tiles through the model, ``emptiness`` counts those
without data, ``held`` works out memory and disk, ``forecast`` says it all.
"""

from geoseg.estimate.forecast import Forecast, plan, plan_each

__all__ = ["Forecast", "plan", "plan_each"]
