"""Whether an object is as `manifest.schema.json` says: `validate` raises an `InvalidError` if not.

Made from it by `python -m tools.compile_schemas`; not to be edited.
"""

# ruff: noqa
# fmt: off
# mypy: ignore-errors

from edge_app.core.errors import InvalidError

SCHEMA_SHA256 = "5a31745a5c355d393398940e65749e9aeddc81be39a5d5c6969d45dfaa0b65d6"

VERSION = '2.22.3'
import re
REGEX_PATTERNS = {'^[a-z0-9][a-z0-9._-]{0,63}$': re.compile('^[a-z0-9][a-z0-9._-]{0,63}\\Z'), '^[0-9a-f]{64}$': re.compile('^[0-9a-f]{64}\\Z')}
NoneType = type(None)

def validate(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['schema_version', 'name', 'architecture', 'created', 'licence', 'intended_use', 'flatbuffer', 'labels', 'head', 'input', 'outputs', 'calibration', 'operating_points', 'default_operating_point', 'golden', 'training', 'quantization', 'metrics']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'schema_version' in data_keys:
        data_keys.remove('schema_version')
        data__schemaversion = data['schema_version']
        if not (isinstance(data__schemaversion, (int, float)) and (not isinstance(data__schemaversion, bool)) and (data__schemaversion == 2)):
            raise InvalidError((name_prefix or 'data') + '.schema_version must be same as const definition: 2')
    if 'name' in data_keys:
        data_keys.remove('name')
        data__name = data['name']
        if not isinstance(data__name, str):
            raise InvalidError((name_prefix or 'data') + '.name must be string')
        if not REGEX_PATTERNS['^[a-z0-9][a-z0-9._-]{0,63}$'].search(data__name):
            raise InvalidError((name_prefix or 'data') + '.name must match pattern ^[a-z0-9][a-z0-9._-]{0,63}$')
    if 'architecture' in data_keys:
        data_keys.remove('architecture')
        data__architecture = data['architecture']
        if not isinstance(data__architecture, str):
            raise InvalidError((name_prefix or 'data') + '.architecture must be string')
        data__architecture_len = len(data__architecture)
        if data__architecture_len > 200:
            raise InvalidError((name_prefix or 'data') + '.architecture must be shorter than or equal to 200 characters')
    if 'created' in data_keys:
        data_keys.remove('created')
        data__created = data['created']
        if not isinstance(data__created, str):
            raise InvalidError((name_prefix or 'data') + '.created must be string')
        data__created_len = len(data__created)
        if data__created_len > 40:
            raise InvalidError((name_prefix or 'data') + '.created must be shorter than or equal to 40 characters')
    if 'licence' in data_keys:
        data_keys.remove('licence')
        data__licence = data['licence']
        if not isinstance(data__licence, str):
            raise InvalidError((name_prefix or 'data') + '.licence must be string')
        data__licence_len = len(data__licence)
        if data__licence_len > 200:
            raise InvalidError((name_prefix or 'data') + '.licence must be shorter than or equal to 200 characters')
    if 'intended_use' in data_keys:
        data_keys.remove('intended_use')
        data__intendeduse = data['intended_use']
        if not isinstance(data__intendeduse, str):
            raise InvalidError((name_prefix or 'data') + '.intended_use must be string')
        data__intendeduse_len = len(data__intendeduse)
        if data__intendeduse_len > 4000:
            raise InvalidError((name_prefix or 'data') + '.intended_use must be shorter than or equal to 4000 characters')
    if 'flatbuffer' in data_keys:
        data_keys.remove('flatbuffer')
        data__flatbuffer = data['flatbuffer']
        if not isinstance(data__flatbuffer, dict):
            raise InvalidError((name_prefix or 'data') + '.flatbuffer must be object')
        data__flatbuffer__missing_keys = set(['bytes', 'sha256']) - data__flatbuffer.keys()
        if data__flatbuffer__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.flatbuffer must contain ' + (str(sorted(data__flatbuffer__missing_keys)) + ' properties'))
        data__flatbuffer_keys = set(data__flatbuffer.keys())
        if 'bytes' in data__flatbuffer_keys:
            data__flatbuffer_keys.remove('bytes')
            data__flatbuffer__bytes = data__flatbuffer['bytes']
            if not isinstance(data__flatbuffer__bytes, int) or isinstance(data__flatbuffer__bytes, bool):
                raise InvalidError((name_prefix or 'data') + '.flatbuffer.bytes must be integer')
            if data__flatbuffer__bytes < 8:
                raise InvalidError((name_prefix or 'data') + '.flatbuffer.bytes must be bigger than or equal to 8')
        if 'sha256' in data__flatbuffer_keys:
            data__flatbuffer_keys.remove('sha256')
            data__flatbuffer__sha256 = data__flatbuffer['sha256']
            validate___definitions_sha256(data__flatbuffer__sha256, custom_formats, (name_prefix or 'data') + '.flatbuffer.sha256')
        if data__flatbuffer_keys:
            raise InvalidError((name_prefix or 'data') + '.flatbuffer must not contain ' + str(data__flatbuffer_keys) + ' properties')
    if 'labels' in data_keys:
        data_keys.remove('labels')
        data__labels = data['labels']
        if not isinstance(data__labels, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.labels must be array')
        data__labels_len = len(data__labels)
        if data__labels_len < 1:
            raise InvalidError((name_prefix or 'data') + '.labels must contain at least 1 items')
        if data__labels_len > 64:
            raise InvalidError((name_prefix or 'data') + '.labels must contain less than or equal to 64 items')
        for data__labels_x, data__labels_item in enumerate(data__labels):
            if not isinstance(data__labels_item, dict):
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must be object')
            data__labels_item__missing_keys = set(['name', 'kind']) - data__labels_item.keys()
            if data__labels_item__missing_keys:
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must contain ' + (str(sorted(data__labels_item__missing_keys)) + ' properties'))
            data__labels_item_keys = set(data__labels_item.keys())
            if 'name' in data__labels_item_keys:
                data__labels_item_keys.remove('name')
                data__labels_item__name = data__labels_item['name']
                if not isinstance(data__labels_item__name, str):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].name' + ' must be string')
                data__labels_item__name_len = len(data__labels_item__name)
                if data__labels_item__name_len < 1:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].name' + ' must be longer than or equal to 1 characters')
                if data__labels_item__name_len > 64:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].name' + ' must be shorter than or equal to 64 characters')
            if 'kind' in data__labels_item_keys:
                data__labels_item_keys.remove('kind')
                data__labels_item__kind = data__labels_item['kind']
                if not (isinstance(data__labels_item__kind, str) and data__labels_item__kind == 'finding' or (isinstance(data__labels_item__kind, str) and data__labels_item__kind == 'normal')):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].kind' + " must be one of ['finding', 'normal']")
            if 'code' in data__labels_item_keys:
                data__labels_item_keys.remove('code')
                data__labels_item__code = data__labels_item['code']
                if not isinstance(data__labels_item__code, dict):
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code' + ' must be object')
                data__labels_item__code__missing_keys = set(['scheme', 'value', 'meaning']) - data__labels_item__code.keys()
                if data__labels_item__code__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code' + ' must contain ' + (str(sorted(data__labels_item__code__missing_keys)) + ' properties'))
                data__labels_item__code_keys = set(data__labels_item__code.keys())
                if 'scheme' in data__labels_item__code_keys:
                    data__labels_item__code_keys.remove('scheme')
                    data__labels_item__code__scheme = data__labels_item__code['scheme']
                    if not isinstance(data__labels_item__code__scheme, str):
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.scheme' + ' must be string')
                    data__labels_item__code__scheme_len = len(data__labels_item__code__scheme)
                    if data__labels_item__code__scheme_len < 1:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.scheme' + ' must be longer than or equal to 1 characters')
                    if data__labels_item__code__scheme_len > 16:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.scheme' + ' must be shorter than or equal to 16 characters')
                if 'value' in data__labels_item__code_keys:
                    data__labels_item__code_keys.remove('value')
                    data__labels_item__code__value = data__labels_item__code['value']
                    if not isinstance(data__labels_item__code__value, str):
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.value' + ' must be string')
                    data__labels_item__code__value_len = len(data__labels_item__code__value)
                    if data__labels_item__code__value_len < 1:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.value' + ' must be longer than or equal to 1 characters')
                    if data__labels_item__code__value_len > 64:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.value' + ' must be shorter than or equal to 64 characters')
                if 'meaning' in data__labels_item__code_keys:
                    data__labels_item__code_keys.remove('meaning')
                    data__labels_item__code__meaning = data__labels_item__code['meaning']
                    if not isinstance(data__labels_item__code__meaning, str):
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.meaning' + ' must be string')
                    data__labels_item__code__meaning_len = len(data__labels_item__code__meaning)
                    if data__labels_item__code__meaning_len < 1:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.meaning' + ' must be longer than or equal to 1 characters')
                    if data__labels_item__code__meaning_len > 64:
                        raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code.meaning' + ' must be shorter than or equal to 64 characters')
                if data__labels_item__code_keys:
                    raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}].code' + ' must not contain ' + str(data__labels_item__code_keys) + ' properties')
            if data__labels_item_keys:
                raise InvalidError((name_prefix or 'data') + f'.labels[{data__labels_x}]' + ' must not contain ' + str(data__labels_item_keys) + ' properties')
    if 'head' in data_keys:
        data_keys.remove('head')
        data__head = data['head']
        if not (isinstance(data__head, str) and data__head == 'independent' or (isinstance(data__head, str) and data__head == 'exclusive')):
            raise InvalidError((name_prefix or 'data') + ".head must be one of ['independent', 'exclusive']")
    if 'input' in data_keys:
        data_keys.remove('input')
        data__input = data['input']
        if not isinstance(data__input, dict):
            raise InvalidError((name_prefix or 'data') + '.input must be object')
        data__input__missing_keys = set(['height', 'width', 'channels', 'resize', 'mean', 'std', 'dtype', 'quantization']) - data__input.keys()
        if data__input__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.input must contain ' + (str(sorted(data__input__missing_keys)) + ' properties'))
        data__input_keys = set(data__input.keys())
        if 'height' in data__input_keys:
            data__input_keys.remove('height')
            data__input__height = data__input['height']
            if not isinstance(data__input__height, int) or isinstance(data__input__height, bool):
                raise InvalidError((name_prefix or 'data') + '.input.height must be integer')
            if data__input__height < 28:
                raise InvalidError((name_prefix or 'data') + '.input.height must be bigger than or equal to 28')
            if data__input__height > 512:
                raise InvalidError((name_prefix or 'data') + '.input.height must be smaller than or equal to 512')
        if 'width' in data__input_keys:
            data__input_keys.remove('width')
            data__input__width = data__input['width']
            if not isinstance(data__input__width, int) or isinstance(data__input__width, bool):
                raise InvalidError((name_prefix or 'data') + '.input.width must be integer')
            if data__input__width < 28:
                raise InvalidError((name_prefix or 'data') + '.input.width must be bigger than or equal to 28')
            if data__input__width > 512:
                raise InvalidError((name_prefix or 'data') + '.input.width must be smaller than or equal to 512')
        if 'channels' in data__input_keys:
            data__input_keys.remove('channels')
            data__input__channels = data__input['channels']
            if not isinstance(data__input__channels, int) or isinstance(data__input__channels, bool):
                raise InvalidError((name_prefix or 'data') + '.input.channels must be integer')
            if not (isinstance(data__input__channels, (int, float)) and (not isinstance(data__input__channels, bool)) and (data__input__channels == 1) or (isinstance(data__input__channels, (int, float)) and (not isinstance(data__input__channels, bool)) and (data__input__channels == 3))):
                raise InvalidError((name_prefix or 'data') + '.input.channels must be one of [1, 3]')
        if 'resize' in data__input_keys:
            data__input_keys.remove('resize')
            data__input__resize = data__input['resize']
            if not (isinstance(data__input__resize, str) and data__input__resize == 'stretch-bilinear' or (isinstance(data__input__resize, str) and data__input__resize == 'pad-bilinear') or (isinstance(data__input__resize, str) and data__input__resize == 'crop-bilinear')):
                raise InvalidError((name_prefix or 'data') + ".input.resize must be one of ['stretch-bilinear', 'pad-bilinear', 'crop-bilinear']")
        if 'mean' in data__input_keys:
            data__input_keys.remove('mean')
            data__input__mean = data__input['mean']
            data__input__mean_any_of_count1 = 0
            if not data__input__mean_any_of_count1:
                try:
                    validate___definitions_mean(data__input__mean, custom_formats, (name_prefix or 'data') + '.input.mean')
                    data__input__mean_any_of_count1 += 1
                except (InvalidError,):
                    pass
            if not data__input__mean_any_of_count1:
                try:
                    if not isinstance(data__input__mean, (list, tuple)):
                        raise InvalidError((name_prefix or 'data') + '.input.mean must be array')
                    data__input__mean_len = len(data__input__mean)
                    if data__input__mean_len < 1:
                        raise InvalidError((name_prefix or 'data') + '.input.mean must contain at least 1 items')
                    if data__input__mean_len > 3:
                        raise InvalidError((name_prefix or 'data') + '.input.mean must contain less than or equal to 3 items')
                    for data__input__mean_x, data__input__mean_item in enumerate(data__input__mean):
                        validate___definitions_mean(data__input__mean_item, custom_formats, (name_prefix or 'data') + f'.input.mean[{data__input__mean_x}]')
                    data__input__mean_any_of_count1 += 1
                except (InvalidError,):
                    pass
            if not data__input__mean_any_of_count1:
                raise InvalidError((name_prefix or 'data') + '.input.mean cannot be validated by any definition')
        if 'std' in data__input_keys:
            data__input_keys.remove('std')
            data__input__std = data__input['std']
            data__input__std_any_of_count2 = 0
            if not data__input__std_any_of_count2:
                try:
                    validate___definitions_std(data__input__std, custom_formats, (name_prefix or 'data') + '.input.std')
                    data__input__std_any_of_count2 += 1
                except (InvalidError,):
                    pass
            if not data__input__std_any_of_count2:
                try:
                    if not isinstance(data__input__std, (list, tuple)):
                        raise InvalidError((name_prefix or 'data') + '.input.std must be array')
                    data__input__std_len = len(data__input__std)
                    if data__input__std_len < 1:
                        raise InvalidError((name_prefix or 'data') + '.input.std must contain at least 1 items')
                    if data__input__std_len > 3:
                        raise InvalidError((name_prefix or 'data') + '.input.std must contain less than or equal to 3 items')
                    for data__input__std_x, data__input__std_item in enumerate(data__input__std):
                        validate___definitions_std(data__input__std_item, custom_formats, (name_prefix or 'data') + f'.input.std[{data__input__std_x}]')
                    data__input__std_any_of_count2 += 1
                except (InvalidError,):
                    pass
            if not data__input__std_any_of_count2:
                raise InvalidError((name_prefix or 'data') + '.input.std cannot be validated by any definition')
        if 'dtype' in data__input_keys:
            data__input_keys.remove('dtype')
            data__input__dtype = data__input['dtype']
            validate___definitions_dtype(data__input__dtype, custom_formats, (name_prefix or 'data') + '.input.dtype')
        if 'quantization' in data__input_keys:
            data__input_keys.remove('quantization')
            data__input__quantization = data__input['quantization']
            validate___definitions_quantization(data__input__quantization, custom_formats, (name_prefix or 'data') + '.input.quantization')
        if data__input_keys:
            raise InvalidError((name_prefix or 'data') + '.input must not contain ' + str(data__input_keys) + ' properties')
    if 'outputs' in data_keys:
        data_keys.remove('outputs')
        data__outputs = data['outputs']
        if not isinstance(data__outputs, dict):
            raise InvalidError((name_prefix or 'data') + '.outputs must be object')
        data__outputs__missing_keys = set(['logits']) - data__outputs.keys()
        if data__outputs__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.outputs must contain ' + (str(sorted(data__outputs__missing_keys)) + ' properties'))
        data__outputs_keys = set(data__outputs.keys())
        if 'logits' in data__outputs_keys:
            data__outputs_keys.remove('logits')
            data__outputs__logits = data__outputs['logits']
            validate___definitions_logits(data__outputs__logits, custom_formats, (name_prefix or 'data') + '.outputs.logits')
        if 'map' in data__outputs_keys:
            data__outputs_keys.remove('map')
            data__outputs__map = data__outputs['map']
            validate___definitions_output(data__outputs__map, custom_formats, (name_prefix or 'data') + '.outputs.map')
        if data__outputs_keys:
            raise InvalidError((name_prefix or 'data') + '.outputs must not contain ' + str(data__outputs_keys) + ' properties')
    if 'pooling' in data_keys:
        data_keys.remove('pooling')
        data__pooling = data['pooling']
        if not isinstance(data__pooling, dict):
            raise InvalidError((name_prefix or 'data') + '.pooling must be object')
        data__pooling__missing_keys = set(['kind', 'r']) - data__pooling.keys()
        if data__pooling__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.pooling must contain ' + (str(sorted(data__pooling__missing_keys)) + ' properties'))
        data__pooling_keys = set(data__pooling.keys())
        if 'kind' in data__pooling_keys:
            data__pooling_keys.remove('kind')
            data__pooling__kind = data__pooling['kind']
            if not (isinstance(data__pooling__kind, str) and data__pooling__kind == 'log-sum-exp'):
                raise InvalidError((name_prefix or 'data') + '.pooling.kind must be same as const definition: log-sum-exp')
        if 'r' in data__pooling_keys:
            data__pooling_keys.remove('r')
            data__pooling__r = data__pooling['r']
            if not isinstance(data__pooling__r, (int, float)) or isinstance(data__pooling__r, bool):
                raise InvalidError((name_prefix or 'data') + '.pooling.r must be number')
            if data__pooling__r > 1000:
                raise InvalidError((name_prefix or 'data') + '.pooling.r must be smaller than or equal to 1000')
            if data__pooling__r <= 0:
                raise InvalidError((name_prefix or 'data') + '.pooling.r must be bigger than 0')
        if data__pooling_keys:
            raise InvalidError((name_prefix or 'data') + '.pooling must not contain ' + str(data__pooling_keys) + ' properties')
    if 'spans' in data_keys:
        data_keys.remove('spans')
        data__spans = data['spans']
        if not isinstance(data__spans, dict):
            raise InvalidError((name_prefix or 'data') + '.spans must be object')
        data__spans__missing_keys = set(['slope', 'intercept']) - data__spans.keys()
        if data__spans__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.spans must contain ' + (str(sorted(data__spans__missing_keys)) + ' properties'))
        data__spans_keys = set(data__spans.keys())
        if 'slope' in data__spans_keys:
            data__spans_keys.remove('slope')
            data__spans__slope = data__spans['slope']
            if not isinstance(data__spans__slope, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.spans.slope must be array')
            data__spans__slope_len = len(data__spans__slope)
            if data__spans__slope_len < 1:
                raise InvalidError((name_prefix or 'data') + '.spans.slope must contain at least 1 items')
            if data__spans__slope_len > 64:
                raise InvalidError((name_prefix or 'data') + '.spans.slope must contain less than or equal to 64 items')
            for data__spans__slope_x, data__spans__slope_item in enumerate(data__spans__slope):
                if not isinstance(data__spans__slope_item, (int, float)) or isinstance(data__spans__slope_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.spans.slope[{data__spans__slope_x}]' + ' must be number')
                if data__spans__slope_item <= 0:
                    raise InvalidError((name_prefix or 'data') + f'.spans.slope[{data__spans__slope_x}]' + ' must be bigger than 0')
        if 'intercept' in data__spans_keys:
            data__spans_keys.remove('intercept')
            data__spans__intercept = data__spans['intercept']
            validate___definitions_numbers(data__spans__intercept, custom_formats, (name_prefix or 'data') + '.spans.intercept')
        if data__spans_keys:
            raise InvalidError((name_prefix or 'data') + '.spans must not contain ' + str(data__spans_keys) + ' properties')
    if 'calibration' in data_keys:
        data_keys.remove('calibration')
        data__calibration = data['calibration']
        if not isinstance(data__calibration, dict):
            raise InvalidError((name_prefix or 'data') + '.calibration must be object')
        data__calibration__missing_keys = set(['method', 'slope', 'intercept', 'fitted_on']) - data__calibration.keys()
        if data__calibration__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.calibration must contain ' + (str(sorted(data__calibration__missing_keys)) + ' properties'))
        data__calibration_keys = set(data__calibration.keys())
        if 'method' in data__calibration_keys:
            data__calibration_keys.remove('method')
            data__calibration__method = data__calibration['method']
            if not (isinstance(data__calibration__method, str) and data__calibration__method == 'platt' or (isinstance(data__calibration__method, str) and data__calibration__method == 'none')):
                raise InvalidError((name_prefix or 'data') + ".calibration.method must be one of ['platt', 'none']")
        if 'slope' in data__calibration_keys:
            data__calibration_keys.remove('slope')
            data__calibration__slope = data__calibration['slope']
            if not isinstance(data__calibration__slope, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.calibration.slope must be array')
            data__calibration__slope_len = len(data__calibration__slope)
            if data__calibration__slope_len < 1:
                raise InvalidError((name_prefix or 'data') + '.calibration.slope must contain at least 1 items')
            if data__calibration__slope_len > 64:
                raise InvalidError((name_prefix or 'data') + '.calibration.slope must contain less than or equal to 64 items')
            for data__calibration__slope_x, data__calibration__slope_item in enumerate(data__calibration__slope):
                if not isinstance(data__calibration__slope_item, (int, float)) or isinstance(data__calibration__slope_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.calibration.slope[{data__calibration__slope_x}]' + ' must be number')
                if data__calibration__slope_item <= 0:
                    raise InvalidError((name_prefix or 'data') + f'.calibration.slope[{data__calibration__slope_x}]' + ' must be bigger than 0')
        if 'intercept' in data__calibration_keys:
            data__calibration_keys.remove('intercept')
            data__calibration__intercept = data__calibration['intercept']
            validate___definitions_numbers(data__calibration__intercept, custom_formats, (name_prefix or 'data') + '.calibration.intercept')
        if 'fitted_on' in data__calibration_keys:
            data__calibration_keys.remove('fitted_on')
            data__calibration__fittedon = data__calibration['fitted_on']
            if not isinstance(data__calibration__fittedon, str):
                raise InvalidError((name_prefix or 'data') + '.calibration.fitted_on must be string')
            data__calibration__fittedon_len = len(data__calibration__fittedon)
            if data__calibration__fittedon_len > 200:
                raise InvalidError((name_prefix or 'data') + '.calibration.fitted_on must be shorter than or equal to 200 characters')
        if data__calibration_keys:
            raise InvalidError((name_prefix or 'data') + '.calibration must not contain ' + str(data__calibration_keys) + ' properties')
    if 'operating_points' in data_keys:
        data_keys.remove('operating_points')
        data__operatingpoints = data['operating_points']
        if not isinstance(data__operatingpoints, dict):
            raise InvalidError((name_prefix or 'data') + '.operating_points must be object')
        data__operatingpoints_len = len(data__operatingpoints)
        if data__operatingpoints_len < 1:
            raise InvalidError((name_prefix or 'data') + '.operating_points must contain at least 1 properties')
        if data__operatingpoints_len > 16:
            raise InvalidError((name_prefix or 'data') + '.operating_points must contain less than or equal to 16 properties')
        data__operatingpoints_keys = set(data__operatingpoints.keys())
        for data__operatingpoints_key in data__operatingpoints_keys:
            if data__operatingpoints_key not in []:
                data__operatingpoints_value = data__operatingpoints.get(data__operatingpoints_key)
                if not isinstance(data__operatingpoints_value, dict):
                    raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}' + ' must be object')
                data__operatingpoints_value__missing_keys = set(['rule', 'fitted_on', 'thresholds', 'sensitivity', 'specificity']) - data__operatingpoints_value.keys()
                if data__operatingpoints_value__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}' + ' must contain ' + (str(sorted(data__operatingpoints_value__missing_keys)) + ' properties'))
                data__operatingpoints_value_keys = set(data__operatingpoints_value.keys())
                if 'rule' in data__operatingpoints_value_keys:
                    data__operatingpoints_value_keys.remove('rule')
                    data__operatingpoints_value__rule = data__operatingpoints_value['rule']
                    if not isinstance(data__operatingpoints_value__rule, str):
                        raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.rule' + ' must be string')
                    data__operatingpoints_value__rule_len = len(data__operatingpoints_value__rule)
                    if data__operatingpoints_value__rule_len > 200:
                        raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.rule' + ' must be shorter than or equal to 200 characters')
                if 'fitted_on' in data__operatingpoints_value_keys:
                    data__operatingpoints_value_keys.remove('fitted_on')
                    data__operatingpoints_value__fittedon = data__operatingpoints_value['fitted_on']
                    if not isinstance(data__operatingpoints_value__fittedon, str):
                        raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.fitted_on' + ' must be string')
                    data__operatingpoints_value__fittedon_len = len(data__operatingpoints_value__fittedon)
                    if data__operatingpoints_value__fittedon_len > 200:
                        raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.fitted_on' + ' must be shorter than or equal to 200 characters')
                if 'thresholds' in data__operatingpoints_value_keys:
                    data__operatingpoints_value_keys.remove('thresholds')
                    data__operatingpoints_value__thresholds = data__operatingpoints_value['thresholds']
                    validate___definitions_shares(data__operatingpoints_value__thresholds, custom_formats, (name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.thresholds')
                if 'sensitivity' in data__operatingpoints_value_keys:
                    data__operatingpoints_value_keys.remove('sensitivity')
                    data__operatingpoints_value__sensitivity = data__operatingpoints_value['sensitivity']
                    validate___definitions_shares(data__operatingpoints_value__sensitivity, custom_formats, (name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.sensitivity')
                if 'specificity' in data__operatingpoints_value_keys:
                    data__operatingpoints_value_keys.remove('specificity')
                    data__operatingpoints_value__specificity = data__operatingpoints_value['specificity']
                    validate___definitions_shares(data__operatingpoints_value__specificity, custom_formats, (name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}.specificity')
                if data__operatingpoints_value_keys:
                    raise InvalidError((name_prefix or 'data') + f'.operating_points.{data__operatingpoints_key}' + ' must not contain ' + str(data__operatingpoints_value_keys) + ' properties')
    if 'default_operating_point' in data_keys:
        data_keys.remove('default_operating_point')
        data__defaultoperatingpoint = data['default_operating_point']
        if not isinstance(data__defaultoperatingpoint, str):
            raise InvalidError((name_prefix or 'data') + '.default_operating_point must be string')
        data__defaultoperatingpoint_len = len(data__defaultoperatingpoint)
        if data__defaultoperatingpoint_len > 64:
            raise InvalidError((name_prefix or 'data') + '.default_operating_point must be shorter than or equal to 64 characters')
    if 'golden' in data_keys:
        data_keys.remove('golden')
        data__golden = data['golden']
        if not isinstance(data__golden, dict):
            raise InvalidError((name_prefix or 'data') + '.golden must be object')
        data__golden__missing_keys = set(['count', 'source', 'runtime', 'tolerance']) - data__golden.keys()
        if data__golden__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.golden must contain ' + (str(sorted(data__golden__missing_keys)) + ' properties'))
        data__golden_keys = set(data__golden.keys())
        if 'count' in data__golden_keys:
            data__golden_keys.remove('count')
            data__golden__count = data__golden['count']
            if not isinstance(data__golden__count, int) or isinstance(data__golden__count, bool):
                raise InvalidError((name_prefix or 'data') + '.golden.count must be integer')
            if data__golden__count < 1:
                raise InvalidError((name_prefix or 'data') + '.golden.count must be bigger than or equal to 1')
            if data__golden__count > 64:
                raise InvalidError((name_prefix or 'data') + '.golden.count must be smaller than or equal to 64')
        if 'source' in data__golden_keys:
            data__golden_keys.remove('source')
            data__golden__source = data__golden['source']
            if not isinstance(data__golden__source, str):
                raise InvalidError((name_prefix or 'data') + '.golden.source must be string')
            data__golden__source_len = len(data__golden__source)
            if data__golden__source_len > 200:
                raise InvalidError((name_prefix or 'data') + '.golden.source must be shorter than or equal to 200 characters')
        if 'runtime' in data__golden_keys:
            data__golden_keys.remove('runtime')
            data__golden__runtime = data__golden['runtime']
            if not isinstance(data__golden__runtime, str):
                raise InvalidError((name_prefix or 'data') + '.golden.runtime must be string')
            data__golden__runtime_len = len(data__golden__runtime)
            if data__golden__runtime_len > 200:
                raise InvalidError((name_prefix or 'data') + '.golden.runtime must be shorter than or equal to 200 characters')
        if 'tolerance' in data__golden_keys:
            data__golden_keys.remove('tolerance')
            data__golden__tolerance = data__golden['tolerance']
            if not isinstance(data__golden__tolerance, (int, float)) or isinstance(data__golden__tolerance, bool):
                raise InvalidError((name_prefix or 'data') + '.golden.tolerance must be number')
            if data__golden__tolerance < 0:
                raise InvalidError((name_prefix or 'data') + '.golden.tolerance must be bigger than or equal to 0')
            if data__golden__tolerance > 16:
                raise InvalidError((name_prefix or 'data') + '.golden.tolerance must be smaller than or equal to 16')
        if data__golden_keys:
            raise InvalidError((name_prefix or 'data') + '.golden must not contain ' + str(data__golden_keys) + ' properties')
    if 'training' in data_keys:
        data_keys.remove('training')
        data__training = data['training']
        if not isinstance(data__training, dict):
            raise InvalidError((name_prefix or 'data') + '.training must be object')
    if 'quantization' in data_keys:
        data_keys.remove('quantization')
        data__quantization = data['quantization']
        if not isinstance(data__quantization, dict):
            raise InvalidError((name_prefix or 'data') + '.quantization must be object')
    if 'compiled' in data_keys:
        data_keys.remove('compiled')
        data__compiled = data['compiled']
        if not isinstance(data__compiled, dict):
            raise InvalidError((name_prefix or 'data') + '.compiled must be object')
        data__compiled_len = len(data__compiled)
        if data__compiled_len < 1:
            raise InvalidError((name_prefix or 'data') + '.compiled must contain at least 1 properties')
        if data__compiled_len > 16:
            raise InvalidError((name_prefix or 'data') + '.compiled must contain less than or equal to 16 properties')
        data__compiled_keys = set(data__compiled.keys())
        for data__compiled_key in data__compiled_keys:
            if data__compiled_key not in []:
                data__compiled_value = data__compiled.get(data__compiled_key)
                if not isinstance(data__compiled_value, dict):
                    raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}' + ' must be object')
                data__compiled_value__missing_keys = set(['bytes', 'sha256', 'compiled_from', 'compiler']) - data__compiled_value.keys()
                if data__compiled_value__missing_keys:
                    raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}' + ' must contain ' + (str(sorted(data__compiled_value__missing_keys)) + ' properties'))
                data__compiled_value_keys = set(data__compiled_value.keys())
                if 'bytes' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('bytes')
                    data__compiled_value__bytes = data__compiled_value['bytes']
                    if not isinstance(data__compiled_value__bytes, int) or isinstance(data__compiled_value__bytes, bool):
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.bytes' + ' must be integer')
                    if data__compiled_value__bytes < 8:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.bytes' + ' must be bigger than or equal to 8')
                if 'sha256' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('sha256')
                    data__compiled_value__sha256 = data__compiled_value['sha256']
                    validate___definitions_sha256(data__compiled_value__sha256, custom_formats, (name_prefix or 'data') + f'.compiled.{data__compiled_key}.sha256')
                if 'compiled_from' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('compiled_from')
                    data__compiled_value__compiledfrom = data__compiled_value['compiled_from']
                    validate___definitions_sha256(data__compiled_value__compiledfrom, custom_formats, (name_prefix or 'data') + f'.compiled.{data__compiled_key}.compiled_from')
                if 'compiler' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('compiler')
                    data__compiled_value__compiler = data__compiled_value['compiler']
                    if not isinstance(data__compiled_value__compiler, str):
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.compiler' + ' must be string')
                    data__compiled_value__compiler_len = len(data__compiled_value__compiler)
                    if data__compiled_value__compiler_len > 100:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.compiler' + ' must be shorter than or equal to 100 characters')
                if 'operations' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('operations')
                    data__compiled_value__operations = data__compiled_value['operations']
                    if not isinstance(data__compiled_value__operations, dict):
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations' + ' must be object')
                    data__compiled_value__operations__missing_keys = set(['accelerator', 'cpu']) - data__compiled_value__operations.keys()
                    if data__compiled_value__operations__missing_keys:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations' + ' must contain ' + (str(sorted(data__compiled_value__operations__missing_keys)) + ' properties'))
                    data__compiled_value__operations_keys = set(data__compiled_value__operations.keys())
                    if 'accelerator' in data__compiled_value__operations_keys:
                        data__compiled_value__operations_keys.remove('accelerator')
                        data__compiled_value__operations__accelerator = data__compiled_value__operations['accelerator']
                        if not isinstance(data__compiled_value__operations__accelerator, int) or isinstance(data__compiled_value__operations__accelerator, bool):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations.accelerator' + ' must be integer')
                        if data__compiled_value__operations__accelerator < 1:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations.accelerator' + ' must be bigger than or equal to 1')
                    if 'cpu' in data__compiled_value__operations_keys:
                        data__compiled_value__operations_keys.remove('cpu')
                        data__compiled_value__operations__cpu = data__compiled_value__operations['cpu']
                        if not isinstance(data__compiled_value__operations__cpu, int) or isinstance(data__compiled_value__operations__cpu, bool):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations.cpu' + ' must be integer')
                        if data__compiled_value__operations__cpu < 0:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations.cpu' + ' must be bigger than or equal to 0')
                    if data__compiled_value__operations_keys:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operations' + ' must not contain ' + str(data__compiled_value__operations_keys) + ' properties')
                if 'memory' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('memory')
                    data__compiled_value__memory = data__compiled_value['memory']
                    if not isinstance(data__compiled_value__memory, dict):
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory' + ' must be object')
                    data__compiled_value__memory__missing_keys = set(['on_chip', 'on_chip_free', 'off_chip']) - data__compiled_value__memory.keys()
                    if data__compiled_value__memory__missing_keys:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory' + ' must contain ' + (str(sorted(data__compiled_value__memory__missing_keys)) + ' properties'))
                    data__compiled_value__memory_keys = set(data__compiled_value__memory.keys())
                    if 'on_chip' in data__compiled_value__memory_keys:
                        data__compiled_value__memory_keys.remove('on_chip')
                        data__compiled_value__memory__onchip = data__compiled_value__memory['on_chip']
                        if not isinstance(data__compiled_value__memory__onchip, int) or isinstance(data__compiled_value__memory__onchip, bool):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.on_chip' + ' must be integer')
                        if data__compiled_value__memory__onchip < 0:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.on_chip' + ' must be bigger than or equal to 0')
                    if 'on_chip_free' in data__compiled_value__memory_keys:
                        data__compiled_value__memory_keys.remove('on_chip_free')
                        data__compiled_value__memory__onchipfree = data__compiled_value__memory['on_chip_free']
                        if not isinstance(data__compiled_value__memory__onchipfree, int) or isinstance(data__compiled_value__memory__onchipfree, bool):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.on_chip_free' + ' must be integer')
                        if data__compiled_value__memory__onchipfree < 0:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.on_chip_free' + ' must be bigger than or equal to 0')
                    if 'off_chip' in data__compiled_value__memory_keys:
                        data__compiled_value__memory_keys.remove('off_chip')
                        data__compiled_value__memory__offchip = data__compiled_value__memory['off_chip']
                        if not isinstance(data__compiled_value__memory__offchip, int) or isinstance(data__compiled_value__memory__offchip, bool):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.off_chip' + ' must be integer')
                        if data__compiled_value__memory__offchip < 0:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory.off_chip' + ' must be bigger than or equal to 0')
                    if data__compiled_value__memory_keys:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.memory' + ' must not contain ' + str(data__compiled_value__memory_keys) + ' properties')
                if 'operators' in data__compiled_value_keys:
                    data__compiled_value_keys.remove('operators')
                    data__compiled_value__operators = data__compiled_value['operators']
                    if not isinstance(data__compiled_value__operators, (list, tuple)):
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators' + ' must be array')
                    data__compiled_value__operators_len = len(data__compiled_value__operators)
                    if data__compiled_value__operators_len > 500:
                        raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators' + ' must contain less than or equal to 500 items')
                    for data__compiled_value__operators_x, data__compiled_value__operators_item in enumerate(data__compiled_value__operators):
                        if not isinstance(data__compiled_value__operators_item, dict):
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}]' + ' must be object')
                        data__compiled_value__operators_item__missing_keys = set(['operator', 'count', 'status']) - data__compiled_value__operators_item.keys()
                        if data__compiled_value__operators_item__missing_keys:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}]' + ' must contain ' + (str(sorted(data__compiled_value__operators_item__missing_keys)) + ' properties'))
                        data__compiled_value__operators_item_keys = set(data__compiled_value__operators_item.keys())
                        if 'operator' in data__compiled_value__operators_item_keys:
                            data__compiled_value__operators_item_keys.remove('operator')
                            data__compiled_value__operators_item__operator = data__compiled_value__operators_item['operator']
                            if not isinstance(data__compiled_value__operators_item__operator, str):
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].operator' + ' must be string')
                            data__compiled_value__operators_item__operator_len = len(data__compiled_value__operators_item__operator)
                            if data__compiled_value__operators_item__operator_len > 100:
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].operator' + ' must be shorter than or equal to 100 characters')
                        if 'count' in data__compiled_value__operators_item_keys:
                            data__compiled_value__operators_item_keys.remove('count')
                            data__compiled_value__operators_item__count = data__compiled_value__operators_item['count']
                            if not isinstance(data__compiled_value__operators_item__count, int) or isinstance(data__compiled_value__operators_item__count, bool):
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].count' + ' must be integer')
                            if data__compiled_value__operators_item__count < 1:
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].count' + ' must be bigger than or equal to 1')
                        if 'status' in data__compiled_value__operators_item_keys:
                            data__compiled_value__operators_item_keys.remove('status')
                            data__compiled_value__operators_item__status = data__compiled_value__operators_item['status']
                            if not isinstance(data__compiled_value__operators_item__status, str):
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].status' + ' must be string')
                            data__compiled_value__operators_item__status_len = len(data__compiled_value__operators_item__status)
                            if data__compiled_value__operators_item__status_len > 200:
                                raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}].status' + ' must be shorter than or equal to 200 characters')
                        if data__compiled_value__operators_item_keys:
                            raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}.operators[{data__compiled_value__operators_x}]' + ' must not contain ' + str(data__compiled_value__operators_item_keys) + ' properties')
                if data__compiled_value_keys:
                    raise InvalidError((name_prefix or 'data') + f'.compiled.{data__compiled_key}' + ' must not contain ' + str(data__compiled_value_keys) + ' properties')
    if 'input_check' in data_keys:
        data_keys.remove('input_check')
        data__inputcheck = data['input_check']
        if not isinstance(data__inputcheck, dict):
            raise InvalidError((name_prefix or 'data') + '.input_check must be object')
        data__inputcheck__missing_keys = set(['sha256', 'grid', 'hidden', 'kinds', 'limits', 'fitted_on', 'limits_from', 'flagged']) - data__inputcheck.keys()
        if data__inputcheck__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.input_check must contain ' + (str(sorted(data__inputcheck__missing_keys)) + ' properties'))
        data__inputcheck_keys = set(data__inputcheck.keys())
        if 'sha256' in data__inputcheck_keys:
            data__inputcheck_keys.remove('sha256')
            data__inputcheck__sha256 = data__inputcheck['sha256']
            validate___definitions_sha256(data__inputcheck__sha256, custom_formats, (name_prefix or 'data') + '.input_check.sha256')
        if 'grid' in data__inputcheck_keys:
            data__inputcheck_keys.remove('grid')
            data__inputcheck__grid = data__inputcheck['grid']
            if not isinstance(data__inputcheck__grid, int) or isinstance(data__inputcheck__grid, bool):
                raise InvalidError((name_prefix or 'data') + '.input_check.grid must be integer')
            if not (isinstance(data__inputcheck__grid, (int, float)) and (not isinstance(data__inputcheck__grid, bool)) and (data__inputcheck__grid == 14) or (isinstance(data__inputcheck__grid, (int, float)) and (not isinstance(data__inputcheck__grid, bool)) and (data__inputcheck__grid == 16))):
                raise InvalidError((name_prefix or 'data') + '.input_check.grid must be one of [14, 16]')
        if 'details' in data__inputcheck_keys:
            data__inputcheck_keys.remove('details')
            data__inputcheck__details = data__inputcheck['details']
            if not isinstance(data__inputcheck__details, int) or isinstance(data__inputcheck__details, bool):
                raise InvalidError((name_prefix or 'data') + '.input_check.details must be integer')
            if data__inputcheck__details < 0:
                raise InvalidError((name_prefix or 'data') + '.input_check.details must be bigger than or equal to 0')
            if data__inputcheck__details > 3:
                raise InvalidError((name_prefix or 'data') + '.input_check.details must be smaller than or equal to 3')
        if 'hidden' in data__inputcheck_keys:
            data__inputcheck_keys.remove('hidden')
            data__inputcheck__hidden = data__inputcheck['hidden']
            if not isinstance(data__inputcheck__hidden, int) or isinstance(data__inputcheck__hidden, bool):
                raise InvalidError((name_prefix or 'data') + '.input_check.hidden must be integer')
            if data__inputcheck__hidden < 1:
                raise InvalidError((name_prefix or 'data') + '.input_check.hidden must be bigger than or equal to 1')
            if data__inputcheck__hidden > 128:
                raise InvalidError((name_prefix or 'data') + '.input_check.hidden must be smaller than or equal to 128')
        if 'kinds' in data__inputcheck_keys:
            data__inputcheck_keys.remove('kinds')
            data__inputcheck__kinds = data__inputcheck['kinds']
            if not isinstance(data__inputcheck__kinds, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.input_check.kinds must be array')
            data__inputcheck__kinds_len = len(data__inputcheck__kinds)
            if data__inputcheck__kinds_len < 1:
                raise InvalidError((name_prefix or 'data') + '.input_check.kinds must contain at least 1 items')
            if data__inputcheck__kinds_len > 32:
                raise InvalidError((name_prefix or 'data') + '.input_check.kinds must contain less than or equal to 32 items')
            for data__inputcheck__kinds_x, data__inputcheck__kinds_item in enumerate(data__inputcheck__kinds):
                if not isinstance(data__inputcheck__kinds_item, str):
                    raise InvalidError((name_prefix or 'data') + f'.input_check.kinds[{data__inputcheck__kinds_x}]' + ' must be string')
                data__inputcheck__kinds_item_len = len(data__inputcheck__kinds_item)
                if data__inputcheck__kinds_item_len > 64:
                    raise InvalidError((name_prefix or 'data') + f'.input_check.kinds[{data__inputcheck__kinds_x}]' + ' must be shorter than or equal to 64 characters')
        if 'limits' in data__inputcheck_keys:
            data__inputcheck_keys.remove('limits')
            data__inputcheck__limits = data__inputcheck['limits']
            if not isinstance(data__inputcheck__limits, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.input_check.limits must be array')
            data__inputcheck__limits_len = len(data__inputcheck__limits)
            if data__inputcheck__limits_len < 1:
                raise InvalidError((name_prefix or 'data') + '.input_check.limits must contain at least 1 items')
            if data__inputcheck__limits_len > 32:
                raise InvalidError((name_prefix or 'data') + '.input_check.limits must contain less than or equal to 32 items')
            for data__inputcheck__limits_x, data__inputcheck__limits_item in enumerate(data__inputcheck__limits):
                if not isinstance(data__inputcheck__limits_item, (int, float)) or isinstance(data__inputcheck__limits_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.input_check.limits[{data__inputcheck__limits_x}]' + ' must be number')
                if data__inputcheck__limits_item < -1000:
                    raise InvalidError((name_prefix or 'data') + f'.input_check.limits[{data__inputcheck__limits_x}]' + ' must be bigger than or equal to -1000')
                if data__inputcheck__limits_item > 1000:
                    raise InvalidError((name_prefix or 'data') + f'.input_check.limits[{data__inputcheck__limits_x}]' + ' must be smaller than or equal to 1000')
        if 'fitted_on' in data__inputcheck_keys:
            data__inputcheck_keys.remove('fitted_on')
            data__inputcheck__fittedon = data__inputcheck['fitted_on']
            if not isinstance(data__inputcheck__fittedon, str):
                raise InvalidError((name_prefix or 'data') + '.input_check.fitted_on must be string')
            data__inputcheck__fittedon_len = len(data__inputcheck__fittedon)
            if data__inputcheck__fittedon_len > 200:
                raise InvalidError((name_prefix or 'data') + '.input_check.fitted_on must be shorter than or equal to 200 characters')
        if 'limits_from' in data__inputcheck_keys:
            data__inputcheck_keys.remove('limits_from')
            data__inputcheck__limitsfrom = data__inputcheck['limits_from']
            if not isinstance(data__inputcheck__limitsfrom, str):
                raise InvalidError((name_prefix or 'data') + '.input_check.limits_from must be string')
            data__inputcheck__limitsfrom_len = len(data__inputcheck__limitsfrom)
            if data__inputcheck__limitsfrom_len > 200:
                raise InvalidError((name_prefix or 'data') + '.input_check.limits_from must be shorter than or equal to 200 characters')
        if 'flagged' in data__inputcheck_keys:
            data__inputcheck_keys.remove('flagged')
            data__inputcheck__flagged = data__inputcheck['flagged']
            if not isinstance(data__inputcheck__flagged, (int, float)) or isinstance(data__inputcheck__flagged, bool):
                raise InvalidError((name_prefix or 'data') + '.input_check.flagged must be number')
            if data__inputcheck__flagged < 0:
                raise InvalidError((name_prefix or 'data') + '.input_check.flagged must be bigger than or equal to 0')
            if data__inputcheck__flagged > 1:
                raise InvalidError((name_prefix or 'data') + '.input_check.flagged must be smaller than or equal to 1')
        if data__inputcheck_keys:
            raise InvalidError((name_prefix or 'data') + '.input_check must not contain ' + str(data__inputcheck_keys) + ' properties')
    if 'reference' in data_keys:
        data_keys.remove('reference')
        data__reference = data['reference']
        if not isinstance(data__reference, dict):
            raise InvalidError((name_prefix or 'data') + '.reference must be object')
        data__reference__missing_keys = set(['images', 'shares', 'labels', 'overall']) - data__reference.keys()
        if data__reference__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.reference must contain ' + (str(sorted(data__reference__missing_keys)) + ' properties'))
        data__reference_keys = set(data__reference.keys())
        if 'images' in data__reference_keys:
            data__reference_keys.remove('images')
            data__reference__images = data__reference['images']
            if not isinstance(data__reference__images, str):
                raise InvalidError((name_prefix or 'data') + '.reference.images must be string')
            data__reference__images_len = len(data__reference__images)
            if data__reference__images_len > 200:
                raise InvalidError((name_prefix or 'data') + '.reference.images must be shorter than or equal to 200 characters')
        if 'shares' in data__reference_keys:
            data__reference_keys.remove('shares')
            data__reference__shares = data__reference['shares']
            if not isinstance(data__reference__shares, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.reference.shares must be array')
            data__reference__shares_len = len(data__reference__shares)
            if data__reference__shares_len < 2:
                raise InvalidError((name_prefix or 'data') + '.reference.shares must contain at least 2 items')
            if data__reference__shares_len > 1001:
                raise InvalidError((name_prefix or 'data') + '.reference.shares must contain less than or equal to 1001 items')
            for data__reference__shares_x, data__reference__shares_item in enumerate(data__reference__shares):
                if not isinstance(data__reference__shares_item, (int, float)) or isinstance(data__reference__shares_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.reference.shares[{data__reference__shares_x}]' + ' must be number')
                if data__reference__shares_item < 0:
                    raise InvalidError((name_prefix or 'data') + f'.reference.shares[{data__reference__shares_x}]' + ' must be bigger than or equal to 0')
                if data__reference__shares_item > 1:
                    raise InvalidError((name_prefix or 'data') + f'.reference.shares[{data__reference__shares_x}]' + ' must be smaller than or equal to 1')
        if 'labels' in data__reference_keys:
            data__reference_keys.remove('labels')
            data__reference__labels = data__reference['labels']
            if not isinstance(data__reference__labels, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.reference.labels must be array')
            data__reference__labels_len = len(data__reference__labels)
            if data__reference__labels_len < 1:
                raise InvalidError((name_prefix or 'data') + '.reference.labels must contain at least 1 items')
            if data__reference__labels_len > 64:
                raise InvalidError((name_prefix or 'data') + '.reference.labels must contain less than or equal to 64 items')
            for data__reference__labels_x, data__reference__labels_item in enumerate(data__reference__labels):
                validate___definitions_quantiles(data__reference__labels_item, custom_formats, (name_prefix or 'data') + f'.reference.labels[{data__reference__labels_x}]')
        if 'overall' in data__reference_keys:
            data__reference_keys.remove('overall')
            data__reference__overall = data__reference['overall']
            validate___definitions_quantiles(data__reference__overall, custom_formats, (name_prefix or 'data') + '.reference.overall')
        if data__reference_keys:
            raise InvalidError((name_prefix or 'data') + '.reference must not contain ' + str(data__reference_keys) + ' properties')
    if 'prevalence' in data_keys:
        data_keys.remove('prevalence')
        data__prevalence = data['prevalence']
        if not isinstance(data__prevalence, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.prevalence must be array')
        data__prevalence_len = len(data__prevalence)
        if data__prevalence_len < 1:
            raise InvalidError((name_prefix or 'data') + '.prevalence must contain at least 1 items')
        if data__prevalence_len > 64:
            raise InvalidError((name_prefix or 'data') + '.prevalence must contain less than or equal to 64 items')
        for data__prevalence_x, data__prevalence_item in enumerate(data__prevalence):
            if not isinstance(data__prevalence_item, (int, float)) or isinstance(data__prevalence_item, bool):
                raise InvalidError((name_prefix or 'data') + f'.prevalence[{data__prevalence_x}]' + ' must be number')
            if data__prevalence_item < 0:
                raise InvalidError((name_prefix or 'data') + f'.prevalence[{data__prevalence_x}]' + ' must be bigger than or equal to 0')
            if data__prevalence_item > 1:
                raise InvalidError((name_prefix or 'data') + f'.prevalence[{data__prevalence_x}]' + ' must be smaller than or equal to 1')
    if 'overall' in data_keys:
        data_keys.remove('overall')
        data__overall = data['overall']
        if not isinstance(data__overall, dict):
            raise InvalidError((name_prefix or 'data') + '.overall must be object')
        data__overall__missing_keys = set(['method', 'slope', 'intercept', 'usually', 'fitted_on', 'operating_points', 'default_operating_point']) - data__overall.keys()
        if data__overall__missing_keys:
            raise InvalidError((name_prefix or 'data') + '.overall must contain ' + (str(sorted(data__overall__missing_keys)) + ' properties'))
        data__overall_keys = set(data__overall.keys())
        if 'method' in data__overall_keys:
            data__overall_keys.remove('method')
            data__overall__method = data__overall['method']
            if not (isinstance(data__overall__method, str) and data__overall__method == 'normal' or (isinstance(data__overall__method, str) and data__overall__method == 'noisy-or')):
                raise InvalidError((name_prefix or 'data') + ".overall.method must be one of ['normal', 'noisy-or']")
        if 'slope' in data__overall_keys:
            data__overall_keys.remove('slope')
            data__overall__slope = data__overall['slope']
            if not isinstance(data__overall__slope, (int, float)) or isinstance(data__overall__slope, bool):
                raise InvalidError((name_prefix or 'data') + '.overall.slope must be number')
            if data__overall__slope > 1000000.0:
                raise InvalidError((name_prefix or 'data') + '.overall.slope must be smaller than or equal to 1000000.0')
            if data__overall__slope <= 0:
                raise InvalidError((name_prefix or 'data') + '.overall.slope must be bigger than 0')
        if 'intercept' in data__overall_keys:
            data__overall_keys.remove('intercept')
            data__overall__intercept = data__overall['intercept']
            if not isinstance(data__overall__intercept, (int, float)) or isinstance(data__overall__intercept, bool):
                raise InvalidError((name_prefix or 'data') + '.overall.intercept must be number')
            if data__overall__intercept < -1000000.0:
                raise InvalidError((name_prefix or 'data') + '.overall.intercept must be bigger than or equal to -1000000.0')
            if data__overall__intercept > 1000000.0:
                raise InvalidError((name_prefix or 'data') + '.overall.intercept must be smaller than or equal to 1000000.0')
        if 'usually' in data__overall_keys:
            data__overall_keys.remove('usually')
            data__overall__usually = data__overall['usually']
            if not isinstance(data__overall__usually, (int, float)) or isinstance(data__overall__usually, bool):
                raise InvalidError((name_prefix or 'data') + '.overall.usually must be number')
            if data__overall__usually < 0:
                raise InvalidError((name_prefix or 'data') + '.overall.usually must be bigger than or equal to 0')
            if data__overall__usually > 1:
                raise InvalidError((name_prefix or 'data') + '.overall.usually must be smaller than or equal to 1')
        if 'bounded_by' in data__overall_keys:
            data__overall_keys.remove('bounded_by')
            data__overall__boundedby = data__overall['bounded_by']
            if not isinstance(data__overall__boundedby, (list, tuple)):
                raise InvalidError((name_prefix or 'data') + '.overall.bounded_by must be array')
            data__overall__boundedby_len = len(data__overall__boundedby)
            if data__overall__boundedby_len > 64:
                raise InvalidError((name_prefix or 'data') + '.overall.bounded_by must contain less than or equal to 64 items')
            for data__overall__boundedby_x, data__overall__boundedby_item in enumerate(data__overall__boundedby):
                if not isinstance(data__overall__boundedby_item, int) or isinstance(data__overall__boundedby_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'.overall.bounded_by[{data__overall__boundedby_x}]' + ' must be integer')
                if data__overall__boundedby_item < 0:
                    raise InvalidError((name_prefix or 'data') + f'.overall.bounded_by[{data__overall__boundedby_x}]' + ' must be bigger than or equal to 0')
                if data__overall__boundedby_item > 63:
                    raise InvalidError((name_prefix or 'data') + f'.overall.bounded_by[{data__overall__boundedby_x}]' + ' must be smaller than or equal to 63')
        if 'fitted_on' in data__overall_keys:
            data__overall_keys.remove('fitted_on')
            data__overall__fittedon = data__overall['fitted_on']
            if not isinstance(data__overall__fittedon, str):
                raise InvalidError((name_prefix or 'data') + '.overall.fitted_on must be string')
            data__overall__fittedon_len = len(data__overall__fittedon)
            if data__overall__fittedon_len > 200:
                raise InvalidError((name_prefix or 'data') + '.overall.fitted_on must be shorter than or equal to 200 characters')
        if 'operating_points' in data__overall_keys:
            data__overall_keys.remove('operating_points')
            data__overall__operatingpoints = data__overall['operating_points']
            if not isinstance(data__overall__operatingpoints, dict):
                raise InvalidError((name_prefix or 'data') + '.overall.operating_points must be object')
            data__overall__operatingpoints_len = len(data__overall__operatingpoints)
            if data__overall__operatingpoints_len < 1:
                raise InvalidError((name_prefix or 'data') + '.overall.operating_points must contain at least 1 properties')
            if data__overall__operatingpoints_len > 16:
                raise InvalidError((name_prefix or 'data') + '.overall.operating_points must contain less than or equal to 16 properties')
            data__overall__operatingpoints_keys = set(data__overall__operatingpoints.keys())
            for data__overall__operatingpoints_key in data__overall__operatingpoints_keys:
                if data__overall__operatingpoints_key not in []:
                    data__overall__operatingpoints_value = data__overall__operatingpoints.get(data__overall__operatingpoints_key)
                    if not isinstance(data__overall__operatingpoints_value, dict):
                        raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}' + ' must be object')
                    data__overall__operatingpoints_value__missing_keys = set(['rule', 'threshold', 'sensitivity', 'specificity']) - data__overall__operatingpoints_value.keys()
                    if data__overall__operatingpoints_value__missing_keys:
                        raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}' + ' must contain ' + (str(sorted(data__overall__operatingpoints_value__missing_keys)) + ' properties'))
                    data__overall__operatingpoints_value_keys = set(data__overall__operatingpoints_value.keys())
                    if 'rule' in data__overall__operatingpoints_value_keys:
                        data__overall__operatingpoints_value_keys.remove('rule')
                        data__overall__operatingpoints_value__rule = data__overall__operatingpoints_value['rule']
                        if not isinstance(data__overall__operatingpoints_value__rule, str):
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.rule' + ' must be string')
                        data__overall__operatingpoints_value__rule_len = len(data__overall__operatingpoints_value__rule)
                        if data__overall__operatingpoints_value__rule_len > 200:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.rule' + ' must be shorter than or equal to 200 characters')
                    if 'threshold' in data__overall__operatingpoints_value_keys:
                        data__overall__operatingpoints_value_keys.remove('threshold')
                        data__overall__operatingpoints_value__threshold = data__overall__operatingpoints_value['threshold']
                        if not isinstance(data__overall__operatingpoints_value__threshold, (int, float)) or isinstance(data__overall__operatingpoints_value__threshold, bool):
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.threshold' + ' must be number')
                        if data__overall__operatingpoints_value__threshold < 0:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.threshold' + ' must be bigger than or equal to 0')
                        if data__overall__operatingpoints_value__threshold > 1:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.threshold' + ' must be smaller than or equal to 1')
                    if 'sensitivity' in data__overall__operatingpoints_value_keys:
                        data__overall__operatingpoints_value_keys.remove('sensitivity')
                        data__overall__operatingpoints_value__sensitivity = data__overall__operatingpoints_value['sensitivity']
                        if not isinstance(data__overall__operatingpoints_value__sensitivity, (int, float)) or isinstance(data__overall__operatingpoints_value__sensitivity, bool):
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.sensitivity' + ' must be number')
                        if data__overall__operatingpoints_value__sensitivity < 0:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.sensitivity' + ' must be bigger than or equal to 0')
                        if data__overall__operatingpoints_value__sensitivity > 1:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.sensitivity' + ' must be smaller than or equal to 1')
                    if 'specificity' in data__overall__operatingpoints_value_keys:
                        data__overall__operatingpoints_value_keys.remove('specificity')
                        data__overall__operatingpoints_value__specificity = data__overall__operatingpoints_value['specificity']
                        if not isinstance(data__overall__operatingpoints_value__specificity, (int, float)) or isinstance(data__overall__operatingpoints_value__specificity, bool):
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.specificity' + ' must be number')
                        if data__overall__operatingpoints_value__specificity < 0:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.specificity' + ' must be bigger than or equal to 0')
                        if data__overall__operatingpoints_value__specificity > 1:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.specificity' + ' must be smaller than or equal to 1')
                    if 'test' in data__overall__operatingpoints_value_keys:
                        data__overall__operatingpoints_value_keys.remove('test')
                        data__overall__operatingpoints_value__test = data__overall__operatingpoints_value['test']
                        if not isinstance(data__overall__operatingpoints_value__test, dict):
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test' + ' must be object')
                        data__overall__operatingpoints_value__test__missing_keys = set(['sensitivity', 'specificity', 'on']) - data__overall__operatingpoints_value__test.keys()
                        if data__overall__operatingpoints_value__test__missing_keys:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test' + ' must contain ' + (str(sorted(data__overall__operatingpoints_value__test__missing_keys)) + ' properties'))
                        data__overall__operatingpoints_value__test_keys = set(data__overall__operatingpoints_value__test.keys())
                        if 'sensitivity' in data__overall__operatingpoints_value__test_keys:
                            data__overall__operatingpoints_value__test_keys.remove('sensitivity')
                            data__overall__operatingpoints_value__test__sensitivity = data__overall__operatingpoints_value__test['sensitivity']
                            validate___definitions_estimate(data__overall__operatingpoints_value__test__sensitivity, custom_formats, (name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test.sensitivity')
                        if 'specificity' in data__overall__operatingpoints_value__test_keys:
                            data__overall__operatingpoints_value__test_keys.remove('specificity')
                            data__overall__operatingpoints_value__test__specificity = data__overall__operatingpoints_value__test['specificity']
                            validate___definitions_estimate(data__overall__operatingpoints_value__test__specificity, custom_formats, (name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test.specificity')
                        if 'on' in data__overall__operatingpoints_value__test_keys:
                            data__overall__operatingpoints_value__test_keys.remove('on')
                            data__overall__operatingpoints_value__test__on = data__overall__operatingpoints_value__test['on']
                            if not isinstance(data__overall__operatingpoints_value__test__on, str):
                                raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test.on' + ' must be string')
                            data__overall__operatingpoints_value__test__on_len = len(data__overall__operatingpoints_value__test__on)
                            if data__overall__operatingpoints_value__test__on_len > 200:
                                raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test.on' + ' must be shorter than or equal to 200 characters')
                        if data__overall__operatingpoints_value__test_keys:
                            raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}.test' + ' must not contain ' + str(data__overall__operatingpoints_value__test_keys) + ' properties')
                    if data__overall__operatingpoints_value_keys:
                        raise InvalidError((name_prefix or 'data') + f'.overall.operating_points.{data__overall__operatingpoints_key}' + ' must not contain ' + str(data__overall__operatingpoints_value_keys) + ' properties')
        if 'default_operating_point' in data__overall_keys:
            data__overall_keys.remove('default_operating_point')
            data__overall__defaultoperatingpoint = data__overall['default_operating_point']
            if not isinstance(data__overall__defaultoperatingpoint, str):
                raise InvalidError((name_prefix or 'data') + '.overall.default_operating_point must be string')
            data__overall__defaultoperatingpoint_len = len(data__overall__defaultoperatingpoint)
            if data__overall__defaultoperatingpoint_len > 64:
                raise InvalidError((name_prefix or 'data') + '.overall.default_operating_point must be shorter than or equal to 64 characters')
        if 'raised' in data__overall_keys:
            data__overall_keys.remove('raised')
            data__overall__raised = data__overall['raised']
            if not isinstance(data__overall__raised, dict):
                raise InvalidError((name_prefix or 'data') + '.overall.raised must be object')
            data__overall__raised__missing_keys = set(['least', 'times', 'validation']) - data__overall__raised.keys()
            if data__overall__raised__missing_keys:
                raise InvalidError((name_prefix or 'data') + '.overall.raised must contain ' + (str(sorted(data__overall__raised__missing_keys)) + ' properties'))
            data__overall__raised_keys = set(data__overall__raised.keys())
            if 'least' in data__overall__raised_keys:
                data__overall__raised_keys.remove('least')
                data__overall__raised__least = data__overall__raised['least']
                if not isinstance(data__overall__raised__least, (int, float)) or isinstance(data__overall__raised__least, bool):
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.least must be number')
                if data__overall__raised__least < 0:
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.least must be bigger than or equal to 0')
                if data__overall__raised__least > 100:
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.least must be smaller than or equal to 100')
            if 'times' in data__overall__raised_keys:
                data__overall__raised_keys.remove('times')
                data__overall__raised__times = data__overall__raised['times']
                if not isinstance(data__overall__raised__times, (int, float)) or isinstance(data__overall__raised__times, bool):
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.times must be number')
                if data__overall__raised__times < 0:
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.times must be bigger than or equal to 0')
                if data__overall__raised__times > 1000:
                    raise InvalidError((name_prefix or 'data') + '.overall.raised.times must be smaller than or equal to 1000')
            if 'validation' in data__overall__raised_keys:
                data__overall__raised_keys.remove('validation')
                data__overall__raised__validation = data__overall__raised['validation']
                validate___definitions_marks(data__overall__raised__validation, custom_formats, (name_prefix or 'data') + '.overall.raised.validation')
            if 'test' in data__overall__raised_keys:
                data__overall__raised_keys.remove('test')
                data__overall__raised__test = data__overall__raised['test']
                validate___definitions_marks(data__overall__raised__test, custom_formats, (name_prefix or 'data') + '.overall.raised.test')
            if data__overall__raised_keys:
                raise InvalidError((name_prefix or 'data') + '.overall.raised must not contain ' + str(data__overall__raised_keys) + ' properties')
        if data__overall_keys:
            raise InvalidError((name_prefix or 'data') + '.overall must not contain ' + str(data__overall_keys) + ' properties')
    if 'metrics' in data_keys:
        data_keys.remove('metrics')
        data__metrics = data['metrics']
        if not isinstance(data__metrics, dict):
            raise InvalidError((name_prefix or 'data') + '.metrics must be object')
        data__metrics_keys = set(data__metrics.keys())
        for data__metrics_key in data__metrics_keys:
            if data__metrics_key not in []:
                data__metrics_value = data__metrics.get(data__metrics_key)
                data__metrics_value_any_of_count3 = 0
                if not data__metrics_value_any_of_count3:
                    try:
                        if not isinstance(data__metrics_value, str):
                            raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' must be string')
                        data__metrics_value_len = len(data__metrics_value)
                        if data__metrics_value_len > 200:
                            raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' must be shorter than or equal to 200 characters')
                        data__metrics_value_any_of_count3 += 1
                    except (InvalidError,):
                        pass
                if not data__metrics_value_any_of_count3:
                    try:
                        if not isinstance(data__metrics_value, dict):
                            raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' must be object')
                        data__metrics_value__missing_keys = set(['value', 'low', 'high', 'on']) - data__metrics_value.keys()
                        if data__metrics_value__missing_keys:
                            raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' must contain ' + (str(sorted(data__metrics_value__missing_keys)) + ' properties'))
                        data__metrics_value_keys = set(data__metrics_value.keys())
                        if 'value' in data__metrics_value_keys:
                            data__metrics_value_keys.remove('value')
                            data__metrics_value__value = data__metrics_value['value']
                            if not isinstance(data__metrics_value__value, (int, float, NoneType)) or isinstance(data__metrics_value__value, bool):
                                raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}.value' + ' must be number or null')
                        if 'low' in data__metrics_value_keys:
                            data__metrics_value_keys.remove('low')
                            data__metrics_value__low = data__metrics_value['low']
                            if not isinstance(data__metrics_value__low, (int, float, NoneType)) or isinstance(data__metrics_value__low, bool):
                                raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}.low' + ' must be number or null')
                        if 'high' in data__metrics_value_keys:
                            data__metrics_value_keys.remove('high')
                            data__metrics_value__high = data__metrics_value['high']
                            if not isinstance(data__metrics_value__high, (int, float, NoneType)) or isinstance(data__metrics_value__high, bool):
                                raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}.high' + ' must be number or null')
                        if 'on' in data__metrics_value_keys:
                            data__metrics_value_keys.remove('on')
                            data__metrics_value__on = data__metrics_value['on']
                            if not isinstance(data__metrics_value__on, str):
                                raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}.on' + ' must be string')
                            data__metrics_value__on_len = len(data__metrics_value__on)
                            if data__metrics_value__on_len > 200:
                                raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}.on' + ' must be shorter than or equal to 200 characters')
                        if data__metrics_value_keys:
                            raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' must not contain ' + str(data__metrics_value_keys) + ' properties')
                        data__metrics_value_any_of_count3 += 1
                    except (InvalidError,):
                        pass
                if not data__metrics_value_any_of_count3:
                    raise InvalidError((name_prefix or 'data') + f'.metrics.{data__metrics_key}' + ' cannot be validated by any definition')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_marks(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['right', 'wrong', 'of_normal']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'right' in data_keys:
        data_keys.remove('right')
        data__right = data['right']
        if not isinstance(data__right, (int, float)) or isinstance(data__right, bool):
            raise InvalidError((name_prefix or 'data') + '.right must be number')
        if data__right < 0:
            raise InvalidError((name_prefix or 'data') + '.right must be bigger than or equal to 0')
        if data__right > 64:
            raise InvalidError((name_prefix or 'data') + '.right must be smaller than or equal to 64')
    if 'wrong' in data_keys:
        data_keys.remove('wrong')
        data__wrong = data['wrong']
        if not isinstance(data__wrong, (int, float)) or isinstance(data__wrong, bool):
            raise InvalidError((name_prefix or 'data') + '.wrong must be number')
        if data__wrong < 0:
            raise InvalidError((name_prefix or 'data') + '.wrong must be bigger than or equal to 0')
        if data__wrong > 64:
            raise InvalidError((name_prefix or 'data') + '.wrong must be smaller than or equal to 64')
    if 'of_normal' in data_keys:
        data_keys.remove('of_normal')
        data__ofnormal = data['of_normal']
        if not isinstance(data__ofnormal, (int, float)) or isinstance(data__ofnormal, bool):
            raise InvalidError((name_prefix or 'data') + '.of_normal must be number')
        if data__ofnormal < 0:
            raise InvalidError((name_prefix or 'data') + '.of_normal must be bigger than or equal to 0')
        if data__ofnormal > 64:
            raise InvalidError((name_prefix or 'data') + '.of_normal must be smaller than or equal to 64')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_estimate(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['value', 'low', 'high']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'value' in data_keys:
        data_keys.remove('value')
        data__value = data['value']
        if not isinstance(data__value, (int, float, NoneType)) or isinstance(data__value, bool):
            raise InvalidError((name_prefix or 'data') + '.value must be number or null')
    if 'low' in data_keys:
        data_keys.remove('low')
        data__low = data['low']
        if not isinstance(data__low, (int, float, NoneType)) or isinstance(data__low, bool):
            raise InvalidError((name_prefix or 'data') + '.low must be number or null')
    if 'high' in data_keys:
        data_keys.remove('high')
        data__high = data['high']
        if not isinstance(data__high, (int, float, NoneType)) or isinstance(data__high, bool):
            raise InvalidError((name_prefix or 'data') + '.high must be number or null')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_quantiles(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (list, tuple)):
        raise InvalidError((name_prefix or 'data') + ' must be array')
    data_len = len(data)
    if data_len < 2:
        raise InvalidError((name_prefix or 'data') + ' must contain at least 2 items')
    if data_len > 1001:
        raise InvalidError((name_prefix or 'data') + ' must contain less than or equal to 1001 items')
    for data_x, data_item in enumerate(data):
        if not isinstance(data_item, (int, float)) or isinstance(data_item, bool):
            raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be number')
        if data_item < 0:
            raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be bigger than or equal to 0')
        if data_item > 1:
            raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be smaller than or equal to 1')
    return data

def validate___definitions_shares(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (list, tuple)):
        raise InvalidError((name_prefix or 'data') + ' must be array')
    data_len = len(data)
    if data_len < 1:
        raise InvalidError((name_prefix or 'data') + ' must contain at least 1 items')
    if data_len > 64:
        raise InvalidError((name_prefix or 'data') + ' must contain less than or equal to 64 items')
    for data_x, data_item in enumerate(data):
        data_item_any_of_count4 = 0
        if not data_item_any_of_count4:
            try:
                if not isinstance(data_item, NoneType):
                    raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be null')
                data_item_any_of_count4 += 1
            except (InvalidError,):
                pass
        if not data_item_any_of_count4:
            try:
                if not isinstance(data_item, (int, float)) or isinstance(data_item, bool):
                    raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be number')
                if data_item < 0:
                    raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be bigger than or equal to 0')
                if data_item > 1:
                    raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be smaller than or equal to 1')
                data_item_any_of_count4 += 1
            except (InvalidError,):
                pass
        if not data_item_any_of_count4:
            raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' cannot be validated by any definition')
    return data

def validate___definitions_numbers(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (list, tuple)):
        raise InvalidError((name_prefix or 'data') + ' must be array')
    data_len = len(data)
    if data_len < 1:
        raise InvalidError((name_prefix or 'data') + ' must contain at least 1 items')
    if data_len > 64:
        raise InvalidError((name_prefix or 'data') + ' must contain less than or equal to 64 items')
    for data_x, data_item in enumerate(data):
        if not isinstance(data_item, (int, float)) or isinstance(data_item, bool):
            raise InvalidError((name_prefix or 'data') + f'[{data_x}]' + ' must be number')
    return data

def validate___definitions_output(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['tensor', 'shape', 'dtype', 'quantization']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'tensor' in data_keys:
        data_keys.remove('tensor')
        data__tensor = data['tensor']
        if not isinstance(data__tensor, str):
            raise InvalidError((name_prefix or 'data') + '.tensor must be string')
        data__tensor_len = len(data__tensor)
        if data__tensor_len > 400:
            raise InvalidError((name_prefix or 'data') + '.tensor must be shorter than or equal to 400 characters')
    if 'shape' in data_keys:
        data_keys.remove('shape')
        data__shape = data['shape']
        if not isinstance(data__shape, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.shape must be array')
        data__shape_len = len(data__shape)
        if data__shape_len < 2:
            raise InvalidError((name_prefix or 'data') + '.shape must contain at least 2 items')
        if data__shape_len > 4:
            raise InvalidError((name_prefix or 'data') + '.shape must contain less than or equal to 4 items')
        for data__shape_x, data__shape_item in enumerate(data__shape):
            if not isinstance(data__shape_item, int) or isinstance(data__shape_item, bool):
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be integer')
            if data__shape_item < 1:
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be bigger than or equal to 1')
            if data__shape_item > 1024:
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be smaller than or equal to 1024')
    if 'dtype' in data_keys:
        data_keys.remove('dtype')
        data__dtype = data['dtype']
        validate___definitions_dtype(data__dtype, custom_formats, (name_prefix or 'data') + '.dtype')
    if 'quantization' in data_keys:
        data_keys.remove('quantization')
        data__quantization = data['quantization']
        validate___definitions_quantization(data__quantization, custom_formats, (name_prefix or 'data') + '.quantization')
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_logits(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, dict):
        raise InvalidError((name_prefix or 'data') + ' must be object')
    data__missing_keys = set(['tensor', 'shape', 'dtype', 'quantization']) - data.keys()
    if data__missing_keys:
        raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
    data_keys = set(data.keys())
    if 'tensor' in data_keys:
        data_keys.remove('tensor')
        data__tensor = data['tensor']
        if not isinstance(data__tensor, str):
            raise InvalidError((name_prefix or 'data') + '.tensor must be string')
        data__tensor_len = len(data__tensor)
        if data__tensor_len > 400:
            raise InvalidError((name_prefix or 'data') + '.tensor must be shorter than or equal to 400 characters')
    if 'shape' in data_keys:
        data_keys.remove('shape')
        data__shape = data['shape']
        if not isinstance(data__shape, (list, tuple)):
            raise InvalidError((name_prefix or 'data') + '.shape must be array')
        data__shape_len = len(data__shape)
        if data__shape_len < 2:
            raise InvalidError((name_prefix or 'data') + '.shape must contain at least 2 items')
        if data__shape_len > 4:
            raise InvalidError((name_prefix or 'data') + '.shape must contain less than or equal to 4 items')
        for data__shape_x, data__shape_item in enumerate(data__shape):
            if not isinstance(data__shape_item, int) or isinstance(data__shape_item, bool):
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be integer')
            if data__shape_item < 1:
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be bigger than or equal to 1')
            if data__shape_item > 1024:
                raise InvalidError((name_prefix or 'data') + f'.shape[{data__shape_x}]' + ' must be smaller than or equal to 1024')
    if 'dtype' in data_keys:
        data_keys.remove('dtype')
        data__dtype = data['dtype']
        validate___definitions_dtype(data__dtype, custom_formats, (name_prefix or 'data') + '.dtype')
    if 'quantization' in data_keys:
        data_keys.remove('quantization')
        data__quantization = data['quantization']
        validate___definitions_quantization(data__quantization, custom_formats, (name_prefix or 'data') + '.quantization')
    if 'activation' in data_keys:
        data_keys.remove('activation')
        data__activation = data['activation']
        if not (isinstance(data__activation, str) and data__activation == 'sigmoid' or (isinstance(data__activation, str) and data__activation == 'softmax')):
            raise InvalidError((name_prefix or 'data') + ".activation must be one of ['sigmoid', 'softmax']")
    if data_keys:
        raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
    return data

def validate___definitions_quantization(data, custom_formats={}, name_prefix=None) -> object:
    data_any_of_count5 = 0
    if not data_any_of_count5:
        try:
            if not isinstance(data, NoneType):
                raise InvalidError((name_prefix or 'data') + ' must be null')
            data_any_of_count5 += 1
        except (InvalidError,):
            pass
    if not data_any_of_count5:
        try:
            if not isinstance(data, dict):
                raise InvalidError((name_prefix or 'data') + ' must be object')
            data__missing_keys = set(['scale', 'zero_point']) - data.keys()
            if data__missing_keys:
                raise InvalidError((name_prefix or 'data') + ' must contain ' + (str(sorted(data__missing_keys)) + ' properties'))
            data_keys = set(data.keys())
            if 'scale' in data_keys:
                data_keys.remove('scale')
                data__scale = data['scale']
                if not isinstance(data__scale, (int, float)) or isinstance(data__scale, bool):
                    raise InvalidError((name_prefix or 'data') + '.scale must be number')
                if data__scale > 1000000.0:
                    raise InvalidError((name_prefix or 'data') + '.scale must be smaller than or equal to 1000000.0')
                if data__scale <= 0:
                    raise InvalidError((name_prefix or 'data') + '.scale must be bigger than 0')
            if 'zero_point' in data_keys:
                data_keys.remove('zero_point')
                data__zeropoint = data['zero_point']
                if not isinstance(data__zeropoint, int) or isinstance(data__zeropoint, bool):
                    raise InvalidError((name_prefix or 'data') + '.zero_point must be integer')
                if data__zeropoint < -128:
                    raise InvalidError((name_prefix or 'data') + '.zero_point must be bigger than or equal to -128')
                if data__zeropoint > 255:
                    raise InvalidError((name_prefix or 'data') + '.zero_point must be smaller than or equal to 255')
            if data_keys:
                raise InvalidError((name_prefix or 'data') + ' must not contain ' + str(data_keys) + ' properties')
            data_any_of_count5 += 1
        except (InvalidError,):
            pass
    if not data_any_of_count5:
        raise InvalidError((name_prefix or 'data') + ' cannot be validated by any definition')
    return data

def validate___definitions_dtype(data, custom_formats={}, name_prefix=None) -> object:
    if not (isinstance(data, str) and data == 'int8' or (isinstance(data, str) and data == 'uint8') or (isinstance(data, str) and data == 'int16') or (isinstance(data, str) and data == 'float32')):
        raise InvalidError((name_prefix or 'data') + " must be one of ['int8', 'uint8', 'int16', 'float32']")
    return data

def validate___definitions_std(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (int, float)) or isinstance(data, bool):
        raise InvalidError((name_prefix or 'data') + ' must be number')
    if data < 1e-06:
        raise InvalidError((name_prefix or 'data') + ' must be bigger than or equal to 1e-06')
    if data > 1000000.0:
        raise InvalidError((name_prefix or 'data') + ' must be smaller than or equal to 1000000.0')
    return data

def validate___definitions_mean(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, (int, float)) or isinstance(data, bool):
        raise InvalidError((name_prefix or 'data') + ' must be number')
    if data < -1000000.0:
        raise InvalidError((name_prefix or 'data') + ' must be bigger than or equal to -1000000.0')
    if data > 1000000.0:
        raise InvalidError((name_prefix or 'data') + ' must be smaller than or equal to 1000000.0')
    return data

def validate___definitions_sha256(data, custom_formats={}, name_prefix=None) -> object:
    if not isinstance(data, str):
        raise InvalidError((name_prefix or 'data') + ' must be string')
    if not REGEX_PATTERNS['^[0-9a-f]{64}$'].search(data):
        raise InvalidError((name_prefix or 'data') + ' must match pattern ^[0-9a-f]{64}$')
    return data
