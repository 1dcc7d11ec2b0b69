"""A scene from the sky to the rain, painted from back to front: labels and photo at once."""

import numpy as np

from ganvas.data.samples.streets.canvas import Canvas, Plane, cover, grain, line, soft
from ganvas.data.samples.streets.colours import (
    ACROSS,
    ASPHALT,
    BARK,
    BUILDING,
    CAR,
    GLASS,
    HEADLIGHT,
    KERB,
    LAMPLIGHT,
    LEFT,
    MARKING,
    PALETTE,
    PAVEMENT,
    PAVING,
    RIGHT,
    ROAD,
    ROW,
    SKY,
    SLATE,
    SMALLEST,
    SNOW,
    TAILLIGHT,
    TREE,
    TYRE,
    WINDOW,
    Array,
    mix,
    rgb,
    unit,
)
from ganvas.data.samples.streets.scene import Buildings, Car, Scene, Tree, between


def draw(seed: int, width: int, height: int) -> tuple[Array, Array]:
    """One scene: labels in PALETTE's colours and photo, both (height, width, 3) uint8.

    A seed, 0 or more, shows the same scene at every size, 32 or more, of one aspect ratio.
    """
    if seed < 0 or min(width, height) < 32:
        raise ValueError(f"streets need a seed from 0 and 32x32 pixels: {seed}, {width}x{height}")
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = Scene(rng, width / height)
    canvas = Canvas(scene, width, height)
    _sky(canvas)
    _ground(canvas)
    _closing_row(canvas)
    _party_walls(canvas)
    _side_rows(canvas)
    for thing in sorted(scene.things, key=lambda thing: -thing.z):
        _tree(canvas, thing) if isinstance(thing, Tree) else _car(canvas, thing)
    _weather(canvas)
    return np.array(list(PALETTE.values()), np.uint8)[canvas.classes], _expose(canvas, rng)


def _sky(canvas: Canvas) -> None:
    scene, hour = canvas.scene, canvas.scene.hour
    up = unit(1 - canvas.y / scene.horizon)
    sky = mix(rgb(hour.horizon), rgb(hour.zenith), up * (1.7 - 0.7 * up))
    flat = 22 / (up + 0.25)  # clouds crowd together towards the horizon
    u = (canvas.x - scene.vanishing_x) * flat * 2 + scene.drift
    cloud, below = soft(u, flat * 4), soft(u + 3, flat * 4 - 5)
    white = unit(scene.lit(0.55 + 0.6 * unit(0.8 + 3 * (cloud - below))))
    sky = mix(sky, white, unit(5 * (cloud + scene.clouds - 0.95)) * (0.9 - 0.3 * up))
    if scene.sun[2] > 0:
        aside = canvas.x - scene.vanishing_x - scene.sun[0]
        far = aside * aside + (up - hour.sun_height / 2) * (up - hour.sun_height / 2)
        sky += rgb(hour.sun) * (0.5 / (1 + 18 * far))
    canvas.photo[:] = sky


def _ground(canvas: Canvas) -> None:
    scene, (left, right) = canvas.scene, canvas.scene.road
    box = canvas.box(0, 99, scene.horizon, 1)
    x, z = canvas.ground(box)
    pixel_x = z * canvas.pixel / scene.focal
    pixel_z = pixel_x * z / scene.eye
    street = cover(np.minimum(x - left, right - x), pixel_x) * (z < scene.closing - 4)
    aside = cover(np.minimum(z - scene.corner - 2.5, scene.closing - 2.8 - z), pixel_z)
    road = np.maximum(street, aside)
    worn = soft(9 * x + scene.drift, 5 * z)
    rough = (grain(40 * x, 30 * z) - 0.5) * unit(0.12 / pixel_x) * 0.2
    asphalt = rgb(ASPHALT) * (0.72 + 0.56 * worn + rough)
    middle, half = (left + right) / 2, (right - left) / 2
    dashes = line(x - middle, 0.08, pixel_x) * ((z + scene.drift) % 5 < 2.6) * (aside < 0.1)
    zebra = cover(1.4 - np.abs(z - scene.zebra), pixel_z) * ((x - left) % 1.1 < 0.55)
    asphalt = mix(asphalt, rgb(MARKING), np.maximum(dashes, zebra) * (0.5 + 0.5 * worn))
    joints = line(z % 1.1 - 0.55, 0.04, pixel_z) + line((x - left) % 1.1 - 0.55, 0.04, pixel_x)
    slabs = 0.08 * grain((x - left) / 1.1, z / 1.1) - 0.25 * unit(joints)
    paving = rgb(PAVING) * (0.78 + 0.36 * worn + slabs + rough)
    paving = mix(paving, rgb(KERB), line(np.abs(x - middle) - half, 0.14, pixel_x))
    if scene.weather == "snow":
        ruts = np.abs(np.abs(np.abs(x - middle) - half / 2) - 0.75)
        asphalt = mix(asphalt, rgb(SNOW), unit(3 * worn - 1.9 + 1.5 * ruts) * 0.9)
        paving = mix(paving, rgb(SNOW), unit(0.9 + 1.2 * (worn - 0.5)))
    if scene.weather == "rain":
        asphalt, paving = asphalt * 0.62, paving * 0.75
    # the row of buildings on the sun's side casts its shadow
    row = RIGHT if scene.sun[0] > 0 else LEFT
    b = scene.buildings.take(_standing(scene, row, z))
    reach = (z < np.minimum(b.end, scene.corner)) * b.height * abs(scene.sun[0]) / scene.sun[1]
    shadow = unit(2 * (reach - np.abs(scene.walls[row] - x)))
    colour = mix(paving, asphalt, road) * scene.lit(scene.sunshine(1) * (1 - 0.9 * shadow))
    canvas.paint(box, np.ones_like(road), colour, np.where(road >= 0.5, ROAD, PAVEMENT), z)


def _standing(scene: Scene, row: int, place: Array) -> Array:
    """Which building of a row stands at a place along it, or is the last before it."""
    starts = scene.buildings.start[row * ROW : (row + 1) * ROW]
    return row * ROW + np.maximum(np.searchsorted(starts, place, "right") - 1, 0)


def _closing_row(canvas: Canvas) -> None:
    scene, z = canvas.scene, canvas.scene.closing
    left, right = (wall * z / scene.corner for wall in scene.walls)
    plane = canvas.upright(left, right, 99, z)
    b = scene.buildings.take(_standing(scene, ACROSS, left + plane.u))
    panes = np.minimum(b.pane_width * b.bay, b.pane_height * b.storey)
    windows = np.where(panes * scene.focal > SMALLEST * z, 1e6, 0)
    plane = plane._replace(u=left + plane.u - b.start)
    _facade(canvas, plane, b, windows, scene.lit(scene.sunshine(2, -1)))


def _party_walls(canvas: Canvas) -> None:
    """The blank sides of buildings that rise above the next ones, far ones first."""
    scene, b = canvas.scene, canvas.scene.buildings
    light = scene.lit(0.8 * scene.sunshine(2, -1))
    for k in sorted(range(1, 2 * ROW), key=lambda k: -b.start[k]):
        if k == ROW or not 3 < b.start[k] < scene.corner or b.height[k] <= b.height[k - 1]:
            continue
        wall = scene.walls[k // ROW]
        left, right = (wall, wall + 12) if k > ROW else (wall - 12, wall)
        plane = canvas.upright(left, right, float(b.height[k]), float(b.start[k]))
        stains = 0.66 + 0.48 * soft(6 * plane.u + 31 * k, 6 * plane.v)
        alpha = cover(b.height[k] - plane.v, plane.pixel_v) * (np.abs(plane.u - 6) <= 6)
        canvas.paint(plane.box, alpha, b.wall[:, [[k]]] * stains * light, BUILDING, plane.z)


def _side_rows(canvas: Canvas) -> None:
    """Both rows along the street at once: each column of the picture shows one of them."""
    scene, f = canvas.scene, canvas.scene.focal
    aside = canvas.x - scene.vanishing_x
    aside = np.where(np.abs(aside) < canvas.pixel / 8, canvas.pixel / 8, aside)
    right = aside > 0
    wall = np.where(right, scene.walls[1], scene.walls[0])
    z = f * wall / aside
    index = np.where(right, _standing(scene, RIGHT, z), _standing(scene, LEFT, z))
    gap = z >= scene.buildings.end[index]  # shows the front side of the building behind it
    b = scene.buildings.take(index + gap)
    z = np.where(gap, b.start, z)
    u = np.where(gap, np.abs(aside) * z / f - np.abs(wall), z - b.start)
    u = np.where(z < scene.corner, u, -1)
    box = canvas.box(0, 99, 0, scene.horizon + scene.eye * float(np.abs(aside / wall).max()))
    v = scene.eye - (canvas.y[box[0]] - scene.horizon) * (z / f)
    pixel_u = z / np.where(gap, f, np.abs(aside)) * canvas.pixel

    panes = np.minimum(b.pane_width, 1 - b.pane_width) * b.bay * np.abs(wall)
    farthest = np.minimum(np.sqrt(f * panes / SMALLEST), f * b.pane_height * b.storey / SMALLEST)
    windows = np.where(gap, np.where(1.4 * f > SMALLEST * z, 1e6, -1), farthest - b.start)
    sun = np.where(right, scene.sunshine(0, -1), scene.sunshine(0))
    light = scene.lit(np.where(gap, scene.sunshine(2, -1), sun))
    _facade(canvas, Plane(box, u, v, pixel_u, z / f * canvas.pixel, z), b, windows, light)


def _facade(canvas: Canvas, plane: Plane, b: Buildings, windows: Array, light: Array) -> None:
    """Paints walls; bays beyond `windows` along them have no windows in the labels."""
    scene, hour = canvas.scene, canvas.scene.hour
    box, u, v, pixel_u, pixel_v, z = plane
    bay, storey = np.floor(u / b.bay), np.floor(v / b.storey)
    aside, up = np.abs(u / b.bay - bay - 0.5), v / b.storey - storey
    shop, roof = (storey == 0) & b.shop, v - (b.height - b.roof)
    chance = grain(7 * bay + np.floor(b.start), storey + np.floor(3 * b.height))
    half = np.where(shop, 0.43, b.pane_width / 2)
    sill, tall = np.where(shop, 0.14, 0.27), np.where(shop, 0.58, b.pane_height)
    sideways, under_lintel = (half - aside) * b.bay, (sill + tall - up) * b.storey
    upright = np.minimum(under_lintel, (up - sill) * b.storey)
    pane = cover(sideways, pixel_u) * cover(upright, pixel_v) * (roof < 0)
    frame = cover(sideways + 0.14, pixel_u) * cover(upright + 0.14, pixel_v) * (roof < 0)

    wear = soft(6 * u + 31 * b.start, 6 * v)
    course, stone = np.floor(v / 0.3), u / 0.7 + 0.5 * (np.floor(v / 0.3) % 2)
    joints = line(v % 0.3 - 0.15, 0.03, pixel_v) + line(0.7 * (stone % 1 - 0.5), 0.03, pixel_u)
    bricks = (grain(stone, course) - 0.5) * unit(0.3 / pixel_u) - 0.7 * unit(joints)
    tone = 0.76 + 0.48 * wear + 0.5 * b.brick * bricks - 0.12 * (v < 0.6)
    wall = np.where((roof > 0) & (b.roof > 1), rgb(SLATE), b.wall) * tone
    ledge = unit(line(roof, 0.16, pixel_v) + line(v - b.storey, 0.1, pixel_v))
    wall = mix(wall, 0.4 * b.wall + 0.5, np.maximum(0.7 * ledge, 0.55 * frame))
    wall = np.where(shop & (np.abs(up - 0.84) < 0.1) & (windows > 0), b.awning, wall)
    if scene.weather == "snow":
        wall = mix(wall, rgb(SNOW), unit((roof > 0) * (wear + b.roof - 0.9)) * 0.9)
    wall *= light

    inside = (up - sill) / tall
    mirror = unit(0.5 * inside + 0.9 * chance + wear - 0.85)
    glass = mix(rgb(GLASS), 0.5 * rgb(hour.horizon) + 0.4 * rgb(hour.zenith), mirror)
    lamp = (17 * chance % 1 < hour.lit_windows + 0.12 * shop) * (0.6 + 0.4 * inside)
    glass = mix(glass, rgb(LAMPLIGHT), lamp) * (0.55 + 0.45 * unit(2.5 * under_lintel))
    bars = line(aside * b.bay, 0.05, pixel_u) * ~shop
    seen = (bay + 0.5) * b.bay < windows
    wall = mix(wall, glass, pane * np.where(seen, 1 - 0.6 * bars, 0.45 * (windows >= 0)))
    silhouette = cover(np.minimum(v, b.height - v), pixel_v) * ((u >= 0) & (u < b.end - b.start))
    canvas.paint(box, silhouette, wall, np.where((pane >= 0.5) & seen, WINDOW, BUILDING), z)


def _shadow(canvas: Canvas, x: float, z: float, wide: float, deep: float) -> None:
    """Darkens the ground within an ellipse."""
    box = canvas.box(0, 99, canvas.scene.down(0, z + deep), canvas.scene.down(0, max(z - deep, 1)))
    aside, ahead = canvas.ground(box)
    u, v = (aside - x) / wide, (ahead - z) / deep
    canvas.photo[:, *box] *= 1 - 0.55 * unit(2 * (1 - u * u - v * v))


def _tree(canvas: Canvas, tree: Tree) -> None:
    scene, metre = canvas.scene, canvas.scene.focal / tree.z
    side, high = scene.sun[0], scene.hour.sun_height
    _shadow(canvas, tree.x - side, tree.z, tree.radius, 0.8 * tree.radius)
    thick = max(0.16, SMALLEST / 2 / metre)
    box, u, v, pixel, _, _ = canvas.upright(tree.x - thick, tree.x + thick, tree.height / 2, tree.z)
    bark = rgb(BARK) * (0.5 + soft(30 * u + tree.lump, 20 * v)) * scene.lit(0.3)
    alpha = cover(np.minimum(thick - np.abs(u - thick), v), pixel)
    canvas.paint(box, alpha, bark, TREE, tree.z)

    x, rx = scene.across(tree.x, tree.z), tree.radius * metre
    ry, y = 0.36 * tree.height * metre, scene.down(0.64 * tree.height, tree.z)
    box = canvas.box(x - 1.3 * rx, x + 1.3 * rx, y - 1.3 * ry, y + 1.3 * ry)
    u, v = (canvas.x[:, box[1]] - x) / rx, (canvas.y[box[0]] - y) / ry
    lumps = soft(45 * u + tree.lump, 45 * v) - 0.5
    leaf = soft(130 * u + tree.lump, 130 * v) - 0.5
    edge = 1 - u * u - v * v + 1.5 * lumps + 0.5 * leaf
    towards = (u * side - v * (0.5 + high)) / (1 + high)
    shade = unit(0.42 + 0.4 * towards + 1.3 * lumps + 1.6 * leaf)
    colour = tree.leaves * (0.45 + shade)
    if scene.weather == "snow":
        colour = mix(colour, rgb(SNOW), unit(3 * leaf + 0.4 - v) * 0.7)
    edge *= 0.6 * min(rx, ry)
    canvas.paint(box, cover(edge, canvas.pixel), colour * scene.lit(shade), TREE, tree.z)


def _car(canvas: Canvas, car: Car) -> None:
    scene, half, far = canvas.scene, car.half, car.z + car.length
    _shadow(canvas, car.x, (car.z + far) / 2, 1.5 * half, 0.6 * car.length)
    if abs(car.x) > half + 0.2:
        x, sign = (car.x - half, 1) if car.x > 0 else (car.x + half, -1)
        ends = [scene.across(x, z) for z in (car.z, far)]
        top = min(scene.down(car.height, z) for z in (car.z, far))
        box = canvas.box(min(ends), max(ends), top, scene.down(0, car.z))
        aside = np.maximum((canvas.x[:, box[1]] - scene.vanishing_x) * sign, 1e-4)
        z = scene.focal * abs(x) / aside
        v = scene.eye - (canvas.y[box[0]] - scene.horizon) * (z / scene.focal)
        pixels = z / aside * canvas.pixel, z / scene.focal * canvas.pixel
        _car_side(canvas, car, Plane(box, z - car.z, v, *pixels, z), scene.sunshine(0, -sign))
    _car_end(canvas, car, car.z + car.length * car.bonnet, 0.45 * car.height, car.height)
    _car_end(canvas, car, car.z, 0.1 * car.height, 0.62 * car.height)


def _car_side(canvas: Canvas, car: Car, plane: Plane, sun: float) -> None:
    box, u, v, pixel_u, pixel_v, z = plane
    along, up = u / car.length, v / car.height
    slope = 0.25 * (up - 0.58)
    windscreen = 0.97 - 0.4 * car.bonnet - 1.4 * slope
    cabin = np.minimum(along + slope, windscreen - along) - car.bonnet  # the end narrows upwards
    body = np.minimum(along + 0.01, 0.99 - along)
    pillar = np.minimum(cabin - 0.03, np.abs(along - 0.5) - 0.02)
    pane = np.minimum(np.minimum(up - 0.62, 0.92 - up) * car.height, pillar * car.length)
    alpha = cover(np.where(up > 0.6, cabin, body) * car.length, pixel_u)
    alpha *= cover(np.minimum(up - 0.12, 1 - up) * car.height, pixel_v)
    colour = car.paint * canvas.scene.lit(sun) * (0.7 + 0.45 * up - 0.25 * (up < 0.4))
    glass = rgb(GLASS) + 0.25 * rgb(canvas.scene.hour.horizon) * (up - 0.4)
    colour = mix(colour, glass, cover(pane, pixel_u))
    axle = (np.abs(along - 0.5) - 0.31) * car.length
    radius = axle * axle + (v - 0.33) * (v - 0.33)
    tyre = unit(9 * (0.13 - radius))
    colour = mix(colour, rgb(TYRE) + 0.35 * (radius < 0.03), tyre)
    canvas.paint(box, np.maximum(alpha, tyre), colour, CAR, z)


def _car_end(canvas: Canvas, car: Car, z: float, low: float, high: float) -> None:
    """The end that faces us of the cabin or, if lower, of the body."""
    scene, half, cabin = canvas.scene, car.half, high >= car.height
    box, u, v, pixel, _, _ = canvas.upright(car.x - half, car.x + half, high, z)
    aside, up = np.abs(u - half), (v - low) / (high - low)
    narrow = 0.25 * unit(up - 0.25) if cabin else 0.06 * (up > 0.9)
    inside = np.minimum(half - narrow - aside, np.minimum(v - low, high - v))
    alpha, light = cover(inside, pixel), scene.lit(scene.sunshine(2, -1))
    colour = car.paint * light * (0.75 + 0.3 * up)
    if scene.weather == "snow":
        colour = mix(colour, rgb(SNOW) * light, 0.9 * (up > 0.88))
    if cabin:
        glass = rgb(GLASS) + 0.5 * rgb(scene.hour.horizon) * unit(up - 0.4)
        pane = np.minimum(np.minimum(inside - 0.1, high - 0.12 - v), v - 0.66 * high)
        colour = mix(colour, glass, cover(pane, pixel))
    else:
        colour = mix(colour, rgb(TYRE), cover(0.28 * high - v, pixel))
        plate = np.minimum(0.26 - aside, 0.07 - np.abs(v - 0.45 * high))
        lamps = np.minimum(aside - 0.66 * half, 0.09 - np.abs(v - 0.74 * high))
        colour = mix(colour, 0.8 * light, cover(plate, pixel))
        colour = mix(colour, rgb(HEADLIGHT if car.oncoming else TAILLIGHT), cover(lamps, pixel))
        tyres = np.minimum(0.22 * half - np.abs(aside - 0.79 * half), np.minimum(0.3 - v, v))
        alpha = np.maximum(alpha, cover(tyres, pixel))
    canvas.paint(box, alpha, colour, CAR, z)


def _weather(canvas: Canvas) -> None:
    scene, photo = canvas.scene, canvas.photo
    if scene.weather == "rain":  # wet ground mirrors what stands behind it
        ruffle = soft(60 * canvas.x, 300 * canvas.y)
        source = (2 * scene.horizon + 0.1 + 0.2 * ruffle - canvas.y) / canvas.pixel
        rows = np.minimum(np.maximum(source, 0), canvas.y.size - 1).astype(np.int32)
        gloss = 0.5 * (canvas.classes == ROAD) + 0.2 * (canvas.classes == PAVEMENT)
        photo += gloss * ruffle * (photo[:, rows, np.arange(canvas.x.size)] - photo)
    clear = 1 / (1 + scene.haze * canvas.distance)
    veil = np.where(canvas.classes == SKY, 0.25 * (scene.weather == "haze"), 1 - clear * clear)
    photo += veil * (0.55 * rgb(scene.hour.horizon) + 0.4 * rgb(scene.hour.ambient) - photo)
    if scene.weather == "rain":
        u, v = 90 * canvas.x + 11 * canvas.y, 5 * canvas.y
        streaks = grain(u, v + 9 * grain(u, 0 * u)) > 0.9
        photo += 0.2 * streaks * (0.75 - photo)
    if scene.weather == "snow":
        u, v = 32 * canvas.x + scene.drift, 32 * canvas.y
        size = 0.14 * unit(2.4 * grain(u, v) - 1.4)
        u, v = u % 1 - 0.3 - 0.4 * grain(v, u), v % 1 - 0.3 - 0.4 * grain(u + 99, v)
        photo += 0.8 * unit((size - u * u - v * v) * 14) * (0.97 - photo)


def _expose(canvas: Canvas, rng: np.random.Generator) -> Array:
    """What the camera makes of it, (H, W, 3) uint8: white balance, vignette, blur and noise."""
    tint = 0.94 + 0.12 * rng.random((3, 1, 1), np.float32)
    x, y = canvas.x - canvas.pixel * canvas.x.size / 2, canvas.y - 0.5
    photo = canvas.photo * (tint * (1.04 - 0.3 * (x * x + y * y)))
    blur, noise = between(rng, 0.04, 0.16), between(rng, 0.01, 0.05)
    for image in (photo, photo.transpose(0, 2, 1)):
        image[:, 1:-1] += blur * (image[:, :-2] + image[:, 2:] - 2 * image[:, 1:-1])
    photo += noise * (rng.random(photo.shape, np.float32) - 0.5)
    return (unit(photo) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0).copy()
